#include "run/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "kernels/kernel_table.h"
#include "run/rendezvous.h"

namespace qfast {
namespace {

constexpr double kSecondsPerMeasurement = 5e-3;
constexpr double kMostWaiting = 1.2;  // wall time over processor time of a sample that nothing disturbed
constexpr int kTriesPerRepeat = 4;
constexpr std::size_t kLine = 64;

void check_positive(std::int64_t value, const char* name) {
  if (value < 1) {
    throw Error(ErrorKind::kInput, std::string(name) + " is " + std::to_string(value) + "; it must be at least 1");
  }
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of this thread; where the system does not tell, all time counts as its own.
double processor_seconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
#else
  return wall_seconds();
#endif
}

// Time that `work(worker)` takes on `threads` workers that start together. The clock stops with the last of them.
template <class Work>
RooflineSample time_region(int threads, const Work& work) {
  double start = 0;
  std::vector<double> busy(static_cast<std::size_t>(threads));
  const bool is_measured = run_together(threads, [&](int worker, Rendezvous& rendezvous) {
    if (worker == 0) start = wall_seconds();  // before anyone begins: a worker that is put aside here must not shorten
    if (!rendezvous.meet()) return false;     // the time
    const double begun = processor_seconds();
    work(worker);
    busy[static_cast<std::size_t>(worker)] = processor_seconds() - begun;
    return true;
  });
  if (!is_measured) throw_no_threads(threads);
  return {wall_seconds() - start, *std::ranges::max_element(busy)};
}

// Rounds of `work` that take about kSecondsPerMeasurement of a processor, found by doubling. A sample that was put
// aside for a while took no more of the processor: it does not end the search.
template <class Measure>
std::int64_t calibrate(const Measure& sample_of) {
  std::int64_t rounds = 1;
  for (;;) {
    const double seconds = sample_of(rounds).processor_s;
    if (seconds >= kSecondsPerMeasurement) return rounds;
    const double wanted = 1.2 * kSecondsPerMeasurement / std::max(seconds, 1e-7);
    rounds = std::max(rounds + 1, static_cast<std::int64_t>(static_cast<double>(rounds) * std::min(wanted, 16.0)));
  }
}

template <class Measure>
double best_seconds(std::int64_t rounds, int repeats, const Measure& sample_of) {
  std::vector<RooflineSample> samples;
  int undisturbed = 0;
  for (int i = 0; undisturbed < repeats && i < kTriesPerRepeat * repeats; ++i) {
    samples.push_back(sample_of(rounds));
    undisturbed += is_undisturbed(samples.back());
  }
  return best_of(samples);
}

}  // namespace

bool is_undisturbed(const RooflineSample& sample) { return sample.wall_s <= kMostWaiting * sample.processor_s; }

double best_of(std::span<const RooflineSample> samples) {
  double best = std::numeric_limits<double>::infinity();
  for (const RooflineSample& s : samples) {
    if (is_undisturbed(s)) best = std::min(best, s.wall_s);
  }
  if (best < std::numeric_limits<double>::infinity()) return best;
  for (const RooflineSample& s : samples) best = std::min(best, s.processor_s);
  return best;
}

double measure_bandwidth(std::size_t bytes, int threads, int repeats, Isa isa) {
  check_positive(static_cast<std::int64_t>(bytes), "bytes");
  check_positive(threads, "threads");
  check_positive(repeats, "repeats");
  const RooflineKernels& kernels = kernels_for(isa).roofline;
  const std::size_t workers = static_cast<std::size_t>(threads);
  const std::size_t lines = (bytes + kLine * workers - 1) / (kLine * workers) * workers;
  const StateBuffer buffer = StateBufferPool::instance().allocate(lines * kLine);
  const std::size_t piece = lines / workers * kLine;
  // Each thread touches its own part first.
  time_region(threads, [&](int worker) {
    std::byte* data = static_cast<std::byte*>(buffer.data()) + static_cast<std::size_t>(worker) * piece;
    std::fill(data, data + piece, std::byte{0});
  });
  const auto sample_of = [&](std::int64_t rounds) {
    return time_region(threads, [&](int worker) {
      std::byte* data = static_cast<std::byte*>(buffer.data()) + static_cast<std::size_t>(worker) * piece;
      for (std::int64_t r = 0; r < rounds; ++r) kernels.flip_signs(data, piece);
    });
  };
  const std::int64_t rounds = calibrate(sample_of);
  const double seconds = best_seconds(rounds, repeats, sample_of);
  return 2.0 * static_cast<double>(lines * kLine) * static_cast<double>(rounds) / seconds;
}

double measure_fma_peak(Precision precision, int threads, int repeats, Isa isa) {
  check_positive(threads, "threads");
  check_positive(repeats, "repeats");
  const RooflineKernels& kernels = kernels_for(isa).roofline;
  const bool single = precision == Precision::kComplex64;
  const auto multiply_add = single ? kernels.multiply_add_f32 : kernels.multiply_add_f64;
  std::atomic<double> sink{0};
  const auto sample_of = [&](std::int64_t rounds) {
    return time_region(threads, [&](int) { sink.store(multiply_add(rounds), std::memory_order_relaxed); });
  };
  const std::int64_t rounds = calibrate(sample_of);
  const double seconds = best_seconds(rounds, repeats, sample_of);
  const double flops_per_round = 2.0 * kRooflineChains * (single ? kernels.lanes_f32 : kernels.lanes_f64);
  return flops_per_round * static_cast<double>(rounds) * threads / seconds;
}

}  // namespace qfast
