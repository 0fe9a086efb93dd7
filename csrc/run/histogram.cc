#include "run/histogram.h"

#include <algorithm>

#include "base/bits.h"

namespace qfast {
namespace {

// Least significant digit first, 8 bits at a time.
void radix_sort(std::vector<std::uint64_t>& values, int num_bits) {
  std::vector<std::uint64_t> other(values.size());
  for (int shift = 0; shift < num_bits; shift += 8) {
    std::size_t next[257] = {};
    for (std::uint64_t value : values) ++next[((value >> shift) & 255) + 1];
    for (int digit = 0; digit < 256; ++digit) next[digit + 1] += next[digit];
    for (std::uint64_t value : values) other[next[(value >> shift) & 255]++] = value;
    values.swap(other);
  }
}

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

// Loops over the bytes of whole words become one instruction.
std::uint64_t read_word(const std::uint8_t* from) {
  std::uint64_t word = 0;
  for (std::size_t byte = 0; byte < kWordBytes; ++byte) word |= std::uint64_t{from[byte]} << (8 * byte);
  return word;
}

void write_word(std::uint8_t* to, std::uint64_t word) {
  for (std::size_t byte = 0; byte < kWordBytes; ++byte) to[byte] = static_cast<std::uint8_t>(word >> (8 * byte));
}

// Rows written in ascending order, each as a whole word: what is too much is overwritten by the next one.
class RowWriter {
 public:
  RowWriter(Histogram& histogram, std::size_t num_rows)
      : rows_(histogram.rows),
        bytes_(static_cast<std::size_t>(row_bytes(histogram.num_bits))),
        size_(num_rows * bytes_) {
    rows_.resize(size_ + kWordBytes);
  }
  ~RowWriter() { rows_.resize(size_); }
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  void put(std::size_t row, std::uint64_t outcome) { write_word(rows_.data() + row * bytes_, outcome); }

 private:
  std::vector<std::uint8_t>& rows_;
  std::size_t bytes_;
  std::size_t size_;
};

// Calls body(outcome) for each row.
template <class Body>
void for_each_row(std::span<const std::uint8_t> rows, int num_bits, const Body& body) {
  const auto bytes = static_cast<std::size_t>(row_bytes(num_bits));
  const std::uint64_t mask = low_mask(num_bits);
  std::size_t at = 0;
  for (; at + kWordBytes <= rows.size(); at += bytes) body(read_word(rows.data() + at) & mask);
  for (; at < rows.size(); at += bytes) {  // a word would end beyond the last row
    std::uint8_t word[kWordBytes] = {};
    std::copy_n(rows.data() + at, bytes, word);
    body(read_word(word) & mask);
  }
}

}  // namespace

template <class Counter>
Histogram histogram_of(std::span<const Counter> counters, int num_bits) {
  const auto zeros = static_cast<std::size_t>(std::count(counters.begin(), counters.end(), Counter{0}));
  const std::size_t distinct = counters.size() - zeros;
  // One place more than is kept: without a branch, a place is written until a count that came fills it.
  Histogram histogram{num_bits, {}, std::vector<std::int64_t>(distinct + 1)};
  {
    RowWriter rows(histogram, distinct);
    std::size_t filled = 0;
    for (std::size_t outcome = 0; outcome < counters.size(); ++outcome) {
      rows.put(filled, outcome);
      histogram.counts[filled] = static_cast<std::int64_t>(counters[outcome]);
      filled += counters[outcome] != 0;
    }
  }
  histogram.counts.pop_back();
  return histogram;
}

template QFAST_API Histogram histogram_of(std::span<const std::uint32_t>, int);
template QFAST_API Histogram histogram_of(std::span<const std::uint64_t>, int);

void OutcomeList::add(std::vector<std::uint64_t>& outcomes) {
  radix_sort(outcomes, num_bits_);
  merge_sorted(outcomes);
}

void OutcomeList::merge_sorted(std::span<const std::uint64_t> sorted) {
  std::vector<std::uint64_t> outcomes;
  std::vector<std::int64_t> counts;
  outcomes.reserve(outcomes_.size() + sorted.size() / 2);
  counts.reserve(outcomes_.size() + sorted.size() / 2);
  const auto put = [&](std::uint64_t outcome, std::int64_t count) {
    outcomes.push_back(outcome);
    counts.push_back(count);
  };
  std::size_t old = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    const std::uint64_t outcome = sorted[i];
    std::int64_t count = 0;
    for (; i < sorted.size() && sorted[i] == outcome; ++i) ++count;
    for (; old < outcomes_.size() && outcomes_[old] < outcome; ++old) put(outcomes_[old], counts_[old]);
    if (old < outcomes_.size() && outcomes_[old] == outcome) count += counts_[old++];
    put(outcome, count);
  }
  for (; old < outcomes_.size(); ++old) put(outcomes_[old], counts_[old]);
  outcomes_ = std::move(outcomes);
  counts_ = std::move(counts);
}

Histogram OutcomeList::to_histogram() const {
  Histogram histogram{num_bits_, {}, counts_};
  {
    RowWriter rows(histogram, outcomes_.size());
    for (std::size_t i = 0; i < outcomes_.size(); ++i) rows.put(i, outcomes_[i]);
  }
  return histogram;
}

Histogram count_rows(std::span<const std::uint8_t> rows, int num_bits) {
  const std::size_t num_rows = rows.size() / static_cast<std::size_t>(row_bytes(num_bits));
  if (has_few_outcomes(num_bits, static_cast<std::int64_t>(num_rows)) && num_rows <= UINT32_MAX) {
    std::vector<std::uint32_t> counters(std::size_t{1} << num_bits);
    for_each_row(rows, num_bits, [&](std::uint64_t outcome) { ++counters[outcome]; });
    return histogram_of<std::uint32_t>(counters, num_bits);
  }
  std::vector<std::uint64_t> outcomes;
  outcomes.reserve(num_rows);
  for_each_row(rows, num_bits, [&](std::uint64_t outcome) { outcomes.push_back(outcome); });
  OutcomeList list(num_bits);
  list.add(outcomes);
  return list.to_histogram();
}

}  // namespace qfast
