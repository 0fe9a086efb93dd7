#include "walk/row_histogram.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace qfast {

RowHistogram::RowHistogram(int num_bits)
    : num_bits_(num_bits), words_(static_cast<std::size_t>(row_words(num_bits))), places_(64) {}

std::uint64_t RowHistogram::hash(const std::uint64_t* row) const {
  std::uint64_t h = 0;
  for (std::size_t k = 0; k < words_; ++k) {
    h = (h ^ row[k]) * 0x9E3779B97F4A7C15ull;
    h ^= h >> 29;
  }
  return h;
}

void RowHistogram::grow() {
  places_.assign(2 * places_.size(), 0);
  for (std::size_t number = 0; number < counts_.size(); ++number) {
    std::size_t at = hash(rows_.data() + number * words_) & (places_.size() - 1);
    while (places_[at] != 0) at = (at + 1) & (places_.size() - 1);
    places_[at] = static_cast<std::uint32_t>(number + 1);
  }
}

void RowHistogram::add(const std::uint64_t* row, std::int64_t count) {
  std::size_t at = hash(row) & (places_.size() - 1);
  for (; places_[at] != 0; at = (at + 1) & (places_.size() - 1)) {
    const std::size_t number = places_[at] - 1;
    if (std::equal(row, row + words_, rows_.data() + number * words_)) {
      counts_[number] += count;
      return;
    }
  }
  rows_.insert(rows_.end(), row, row + words_);
  counts_.push_back(count);
  places_[at] = static_cast<std::uint32_t>(counts_.size());
  if (2 * counts_.size() > places_.size()) grow();
}

void RowHistogram::add(const RowHistogram& other) {
  for (std::size_t k = 0; k < other.counts_.size(); ++k) add(other.rows_.data() + k * words_, other.counts_[k]);
}

Histogram RowHistogram::sorted() const {
  std::vector<std::uint32_t> order(counts_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    const std::uint64_t *x = rows_.data() + a * words_, *y = rows_.data() + b * words_;
    for (std::size_t k = words_; k-- > 0;) {
      if (x[k] != y[k]) return x[k] < y[k];
    }
    return false;
  });
  Histogram out;
  out.num_bits = num_bits_;
  const auto bytes = static_cast<std::size_t>(row_bytes(num_bits_));
  out.rows.resize(order.size() * bytes);
  out.counts.reserve(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    write_row(rows_.data() + order[k] * words_, num_bits_, out.rows.data() + k * bytes);
    out.counts.push_back(counts_[order[k]]);
  }
  return out;
}

void write_row(const std::uint64_t* row, int num_bits, std::uint8_t* bytes) {
  const int count = row_bytes(num_bits);
  for (int b = 0; b < count; ++b) bytes[b] = static_cast<std::uint8_t>(row[b >> 3] >> (8 * (b & 7)));
}

}  // namespace qfast
