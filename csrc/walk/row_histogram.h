// Counting rows of classical bits of any length.
#pragma once

#include <cstdint>
#include <vector>

#include "run/histogram.h"

namespace qfast {

// Rows of `words` 64-bit words, bit b in bit b % 64 of word b / 64, and how often each came.
class RowHistogram {
 public:
  explicit RowHistogram(int num_bits);

  void add(const std::uint64_t* row, std::int64_t count);
  void add(const RowHistogram& other);
  // Ascending; bit 0 is the least significant.
  Histogram sorted() const;

 private:
  std::uint64_t hash(const std::uint64_t* row) const;
  void grow();

  int num_bits_;
  std::size_t words_;
  std::vector<std::uint64_t> rows_;  // in order of arrival
  std::vector<std::int64_t> counts_;
  std::vector<std::uint32_t> places_;  // open addressing: row number + 1, or 0
};

constexpr int row_words(int num_bits) { return (num_bits + 63) / 64; }

// A row as bytes, bit b in bit b % 8 of byte b / 8.
void write_row(const std::uint64_t* row, int num_bits, std::uint8_t* bytes);

}  // namespace qfast
