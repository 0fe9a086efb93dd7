// Branches at their end: the measurements that were left for it, what is misread there, and the rows.
#include <algorithm>
#include <bit>

#include "base/philox.h"
#include "walk/lane_walker.h"

namespace qfast {

template <class T>
void LaneWalker<T>::arrive(std::uint32_t pc) {
  for (std::uint32_t pack : frame_.packs) {
    const std::uint32_t active = active_lanes(pack, pc);
    if (active == 0) continue;
    if (run_.mode == WalkMode::kLeaves) {
      leaf_ = pack * lanes_ + static_cast<std::uint32_t>(std::countr_zero(active));
      return;
    }
    if (has_wiring_) kernels_.cumulate(store_.pack(pack), widths_[pc], cumulative_);
    for (std::uint32_t rest = active; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
      record(pack * lanes_ + l, cumulative_ + l);
      drop_lane(pack * lanes_ + l);
    }
  }
}

// The first basis state whose cumulative weight exceeds the value; `size`, a power of two, if there is none.
static std::size_t find_state(const double* cumulative, std::size_t stride, std::size_t size, double value) {
  std::size_t i = 0;
  for (std::size_t step = size / 2; step > 0; step /= 2) i += cumulative[(i + step - 1) * stride] <= value ? step : 0;
  return i;
}

// Writes the rows of a branch's shots, or counts them.
template <class T>
void LaneWalker<T>::record(std::uint32_t lane, const double* cumulative) {
  const Branch branch = store_.branch(lane);
  const auto words = static_cast<std::size_t>(store_.layout().words);
  const std::uint32_t* const shots = store_.shots() + branch.first();
  const std::size_t size = std::size_t{1} << widths_.back();
  const double norm = has_wiring_ ? cumulative[(size - 1) * lanes_] : 0;
  const bool is_own =
      run_.mode == WalkMode::kCounts && !has_wiring_ && script_.final_readouts.empty() && branch.is_whole();
  if (is_own) {
    std::copy_n(branch.bits(), words, row_.data());
    return histogram_.add(row_.data(), branch.count());
  }
  for (std::uint32_t first = 0; first < branch.count(); first += kDrawBlock) {
    const std::uint32_t some = std::min(branch.count() - first, static_cast<std::uint32_t>(kDrawBlock));
    if (has_wiring_) {
      for (std::uint32_t i = 0; i < some; ++i) {
        draw_shots_[i] = run_.first_shot + shots[first + i];
        draw_sites_[i] = kFinalSampling;
      }
      run_.kernels->real.philox_uniforms_at(run_.seed, draw_shots_, draw_sites_, some, draw_uniforms_);
    }
    for (std::uint32_t i = 0; i < some; ++i) {
      std::uint64_t* const row = run_.rows + shots[first + i] * words;
      const std::uint64_t* wired = nullptr;
      if (has_wiring_)
        wired = wired_rows_.data() + words * find_state(cumulative, lanes_, size, draw_uniforms_[i] * norm);
      for (std::size_t k = 0; k < words; ++k) {
        row[k] = (row[k] & ~branch.owned()[k]) | (branch.bits()[k] & branch.owned()[k]);
        if (wired != nullptr) row[k] = (row[k] & ~wired_mask_[k]) | wired[k];
      }
      misread_row(row, run_.first_shot + shots[first + i]);
      if (run_.mode == WalkMode::kCounts) histogram_.add(row, 1);
    }
  }
}

template <class T>
void LaneWalker<T>::misread_row(std::uint64_t* row, std::uint64_t shot) const {
  for (const WalkReadout& readout : script_.final_readouts) {
    const std::size_t size = std::size_t{1} << readout.bits.size();
    std::size_t truth = 0;
    for (std::size_t k = 0; k < readout.bits.size(); ++k) {
      truth |= ((row[readout.bits[k] >> 6] >> (readout.bits[k] & 63)) & 1) << k;
    }
    const auto number = static_cast<std::uint64_t>(*std::ranges::min_element(readout.bits));
    const double uniform = philox_uniform(run_.seed, shot, site_of(SiteDomain::kFinalReading, number, 0));
    std::size_t read = 0;
    double sum = 0;
    for (std::size_t k = 0; k + 1 < size; ++k) {
      sum += readout.probabilities[truth * size + k];
      read += uniform >= sum ? 1 : 0;
    }
    for (std::size_t k = 0; k < readout.bits.size(); ++k) {
      const std::uint64_t mask = std::uint64_t{1} << (readout.bits[k] & 63);
      std::uint64_t& word = row[readout.bits[k] >> 6];
      word = (read >> k) & 1 ? word | mask : word & ~mask;
    }
  }
}

// --- leaves ----------------------------------------------------------------------------------------------------------

template <class T>
std::span<const std::uint32_t> LaneWalker<T>::leaf_shots() const {
  const Branch branch = leaf();
  return {store_.shots() + branch.first(), branch.count()};
}

template <class T>
void LaneWalker<T>::copy_leaf_rows(std::uint8_t* rows) const {
  const Branch branch = leaf();
  if (is_weighted_) return write_row(branch.bits(), script_.num_bits, rows);
  const auto words = static_cast<std::size_t>(store_.layout().words);
  for (std::uint32_t shot : leaf_shots()) {
    std::uint64_t* const row = run_.rows + shot * words;
    for (std::size_t k = 0; k < words; ++k) {
      row[k] = (row[k] & ~branch.owned()[k]) | (branch.bits()[k] & branch.owned()[k]);
    }
    write_row(row, script_.num_bits, rows);
    rows += row_bytes(script_.num_bits);
  }
}

template <class T>
void LaneWalker<T>::copy_leaf_state(T* amplitudes) const {
  const T* const pack = store_.pack(leaf_ / lanes_) + leaf_ % lanes_;
  for (std::size_t i = 0; i < std::size_t{2} << widths_.back(); ++i) amplitudes[i] = pack[i * lanes_];
}

template class LaneWalker<float>;
template class LaneWalker<double>;

}  // namespace qfast
