#include "run/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace qfast {
namespace {

constexpr double kSecondsPerMeasurement = 5e-3;
constexpr std::size_t kLine = 64;
void check_positive(std::int64_t value, const char* name) {
  if (value < 1) {
    throw Error(ErrorKind::kInput, std::string(name) + " is " + std::to_string(value) + "; it must be at least 1");
  }
}

// Seconds that `work(worker)` takes on `threads` workers that start together. The clock stops with the last of them.
template <class Work>
double time_region(int threads, const Work& work) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start;
  int workers = 0;
  ThreadPool::instance().parallel_region(threads, [&](int worker, int num_workers, SpinBarrier& barrier) {
    barrier.arrive_and_wait();
    if (worker == 0) {
      workers = num_workers;
      start = Clock::now();
    }
    if (num_workers == threads) work(worker);
    barrier.arrive_and_wait();
  });
  if (workers != threads) {
    throw Error(ErrorKind::kEngine, "the limits of " + std::to_string(threads) + " threads cannot be measured: only " +
                                        std::to_string(workers) + " could run; measure when nothing else does");
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rounds of `work` that take about kSecondsPerMeasurement, found by doubling.
template <class Measure>
std::int64_t calibrate(const Measure& seconds_of) {
  std::int64_t rounds = 1;
  for (;;) {
    const double seconds = seconds_of(rounds);
    if (seconds >= kSecondsPerMeasurement) return rounds;
    const double wanted = 1.2 * kSecondsPerMeasurement / std::max(seconds, 1e-7);
    rounds = std::max(rounds + 1, static_cast<std::int64_t>(static_cast<double>(rounds) * std::min(wanted, 16.0)));
  }
}

template <class Measure>
double best_seconds(std::int64_t rounds, int repeats, const Measure& seconds_of) {
  double best = seconds_of(rounds);
  for (int i = 1; i < repeats; ++i) best = std::min(best, seconds_of(rounds));
  return best;
}

}  // namespace

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
  const auto seconds_of = [&](std::int64_t rounds) {
    return time_region(threads, [&](int worker) {
      std::byte* data = static_cast<std::byte*>(buffer.data()) + static_cast<std::size_t>(worker) * piece;
      for (std::int64_t r = 0; r < rounds; ++r) kernels.flip_signs(data, piece);
    });
  };
  const std::int64_t rounds = calibrate(seconds_of);
  const double seconds = best_seconds(rounds, repeats, seconds_of);
  return 2.0 * static_cast<double>(lines * kLine) * static_cast<double>(rounds) / seconds;
}

double measure_fma_peak(Precision precision, int threads, int repeats, Isa isa) {
  check_positive(threads, "threads");
  check_positive(repeats, "repeats");
  const RooflineKernels& kernels = kernels_for(isa).roofline;
  const bool single = precision == Precision::kComplex64;
  const auto multiply_add = single ? kernels.multiply_add_f32 : kernels.multiply_add_f64;
  std::atomic<double> sink{0};
  const auto seconds_of = [&](std::int64_t rounds) {
    return time_region(threads, [&](int) { sink.store(multiply_add(rounds), std::memory_order_relaxed); });
  };
  const std::int64_t rounds = calibrate(seconds_of);
  const double seconds = best_seconds(rounds, repeats, seconds_of);
  const double flops_per_round = 2.0 * kRooflineChains * (single ? kernels.lanes_f32 : kernels.lanes_f64);
  return flops_per_round * static_cast<double>(rounds) * threads / seconds;
}

}  // namespace qfast
