// Arithmetic on the bits of amplitude indices. Everything is constexpr and needs no special instruction.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace qfast {

constexpr bool is_power_of_two(std::uint64_t x) { return std::has_single_bit(x); }

// log2 of a power of two.
constexpr int log2_exact(std::uint64_t power_of_two) { return std::countr_zero(power_of_two); }

// 1 where the number of set bits is odd.
constexpr int parity(std::uint64_t x) { return std::popcount(x) & 1; }

// The lowest `count` bits set; count from 0 to 64.
constexpr std::uint64_t low_mask(int count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

// Moves the bits of `index` at `position` and above one place up: the result has a 0 at `position`.
constexpr std::uint64_t insert_zero_bit(std::uint64_t index, int position) {
  const std::uint64_t low = index & low_mask(position);
  return ((index ^ low) << 1) | low;
}

// The same for several positions of the result, given in ascending order.
constexpr std::uint64_t insert_zero_bits(std::uint64_t index, std::span<const int> ascending_positions) {
  for (int position : ascending_positions) index = insert_zero_bit(index, position);
  return index;
}

// Spreads the low bits of `source` over the set bits of `mask`, lowest first (the x86 instruction PDEP).
constexpr std::uint64_t deposit_bits(std::uint64_t source, std::uint64_t mask) {
  std::uint64_t result = 0;
  for (; mask != 0; mask &= mask - 1, source >>= 1) {
    if (source & 1) result |= mask & (~mask + 1);
  }
  return result;
}

// Collects the bits of `source` under the set bits of `mask` into the low bits of the result (PEXT).
constexpr std::uint64_t extract_bits(std::uint64_t source, std::uint64_t mask) {
  std::uint64_t result = 0;
  for (int bit = 0; mask != 0; mask &= mask - 1, ++bit) {
    if (source & mask & (~mask + 1)) result |= 1ull << bit;
  }
  return result;
}

// Bit j of the result is bit positions[j] of `source`: positions may stand in any order.
constexpr std::uint64_t gather_bits(std::uint64_t source, std::span<const int> positions) {
  std::uint64_t result = 0;
  for (std::size_t j = 0; j < positions.size(); ++j) result |= ((source >> positions[j]) & 1) << j;
  return result;
}

// The inverse: bit positions[j] of the result is bit j of `source`.
constexpr std::uint64_t scatter_bits(std::uint64_t source, std::span<const int> positions) {
  std::uint64_t result = 0;
  for (std::size_t j = 0; j < positions.size(); ++j) result |= ((source >> j) & 1) << positions[j];
  return result;
}

}  // namespace qfast
