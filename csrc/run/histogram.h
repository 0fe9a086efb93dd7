// Counting outcomes: a counter for each possible one where there are few, else a sorted list of those that came.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"

namespace qfast {

// Bytes of a packed outcome.
constexpr int row_bytes(int num_bits) { return (num_bits + 7) / 8; }

// Distinct outcomes in ascending order, each in row_bytes(num_bits) bytes (bit b in bit b % 8 of byte b / 8), and how
// often each came.
struct Histogram {
  int num_bits = 0;
  std::vector<std::uint8_t> rows;
  std::vector<std::int64_t> counts;

  std::size_t size() const { return counts.size(); }
  std::uint64_t outcome(std::size_t i) const {
    const auto bytes = static_cast<std::size_t>(row_bytes(num_bits));
    std::uint64_t found = 0;
    for (std::size_t byte = 0; byte < bytes; ++byte) found |= std::uint64_t{rows[i * bytes + byte]} << (8 * byte);
    return found;
  }
};

// Whether counters for all outcomes are not much more memory than the shots themselves.
constexpr bool has_few_outcomes(int num_bits, std::int64_t num_shots) {
  return num_bits <= 16 || (num_bits <= 28 && (std::int64_t{1} << num_bits) / 4 <= num_shots);
}

// counters[outcome]: how often it came. Counter: std::uint32_t or std::uint64_t.
template <class Counter>
QFAST_API Histogram histogram_of(std::span<const Counter> counters, int num_bits);

// Outcomes that came, added batch by batch.
class OutcomeList {
 public:
  explicit OutcomeList(int num_bits) : num_bits_(num_bits) {}
  // Sorts the outcomes, of num_bits bits, and adds each.
  void add(std::vector<std::uint64_t>& outcomes);
  Histogram to_histogram() const;

 private:
  void merge_sorted(std::span<const std::uint64_t> sorted);

  int num_bits_;
  std::vector<std::uint64_t> outcomes_;
  std::vector<std::int64_t> counts_;
};

// Counts packed outcomes of 1 to 64 bits, rows.size() a multiple of row_bytes(num_bits).
QFAST_API Histogram count_rows(std::span<const std::uint8_t> rows, int num_bits);

}  // namespace qfast
