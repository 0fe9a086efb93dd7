#include "plan/permutation.h"

#include <algorithm>

#include "plan/matrices.h"

namespace qfast {
namespace {

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// Moves bit j of an index to place[j], half of the bits at a time.
class BitMover {
 public:
  explicit BitMover(const std::vector<int>& place) : low_bits_(place.size() / 2) {
    fill(low_, place, 0, low_bits_);
    fill(high_, place, low_bits_, place.size());
  }

  std::uint32_t operator()(std::uint32_t index) const {
    return low_[index & ((1u << low_bits_) - 1)] | high_[index >> low_bits_];
  }

 private:
  static void fill(std::vector<std::uint32_t>& table, const std::vector<int>& place, std::size_t first,
                   std::size_t last) {
    table.assign(std::size_t{1} << (last - first), 0);
    for (std::size_t i = 0; i < table.size(); ++i) {
      for (std::size_t j = first; j < last; ++j)
        table[i] |= static_cast<std::uint32_t>((i >> (j - first)) & 1) << place[j];
    }
  }

  std::size_t low_bits_;
  std::vector<std::uint32_t> low_, high_;
};

}  // namespace

std::vector<std::uint32_t> permutation_source(const FlatCircuit& circuit, const Plan& plan, const Sweep& sweep) {
  const Node& n = plan.lowered.nodes[to_size(sweep.ops.front().node)];
  const Operation op = operation_at(circuit, plan.lowered.sources[to_size(n.first_source)].operation);
  const std::vector<std::int64_t>& images = circuit.integer_data[to_size(op.data)];
  std::vector<std::int32_t> ascending = sweep.tile_bits;
  std::ranges::sort(ascending);
  std::vector<int> place;
  for (const std::int32_t b : sweep.tile_bits) {
    place.push_back(static_cast<int>(std::ranges::lower_bound(ascending, b) - ascending.begin()));
  }
  const BitMover in_memory(place);
  std::vector<std::uint32_t> source(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    source[in_memory(static_cast<std::uint32_t>(images[i]))] = in_memory(static_cast<std::uint32_t>(i));
  }
  return source;
}

}  // namespace qfast
