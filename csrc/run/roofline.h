// The limits of this machine, measured: what roofline fractions are fractions of.
#pragma once

#include <cstddef>
#include <span>

#include "base/cpu_features.h"
#include "base/types.h"

namespace qfast {

// One measurement: what the clock on the wall says, and the longest that a worker had a processor for its part. On a
// busy machine workers are put aside for milliseconds, and the first is a multiple of the second.
struct RooflineSample {
  double wall_s;
  double processor_s;
};

QFAST_API bool is_undisturbed(const RooflineSample& sample);

// The least wall time of the samples that nothing disturbed; where there is none, the least processor time, which a
// machine with other work to do would need alone.
QFAST_API double best_of(std::span<const RooflineSample> samples);

// Bytes a second that `threads` threads read and write in place over a buffer of `bytes` bytes (counted twice: once
// read, once written). The best of `repeats` undisturbed measurements of at least 5 ms each (of at most four times
// as many in all), since noise only ever slows one down. `bytes` is rounded up to 64 bytes a thread. Throws
// Error(kInput) for zero bytes, threads or repeats, and Error(kCapacity) where the buffer cannot be had, Error(kEngine)
// where fewer threads could run.
QFAST_API double measure_bandwidth(std::size_t bytes, int threads, int repeats, Isa isa);

// Floating-point operations a second of fused multiply-adds (two operations each) on full vectors in registers. The
// best of `repeats` measurements of about 5 ms. Where the ISA has no fused multiply-add: of a multiplication and an
// addition.
QFAST_API double measure_fma_peak(Precision precision, int threads, int repeats, Isa isa);

}  // namespace qfast
