// The limits of this machine, measured: what roofline fractions are fractions of.
#pragma once

#include <cstddef>

#include "base/cpu_features.h"
#include "base/types.h"

namespace qfast {

// Bytes a second that `threads` threads read and write in place over a buffer of `bytes` bytes (counted twice: once
// read, once written). The best of `repeats` measurements of at least 5 ms each, since noise only ever slows one
// down. `bytes` is rounded up to 64 bytes a thread. Throws Error(kInput) for zero bytes, threads or repeats, and
// Error(kCapacity) where the buffer cannot be had, Error(kEngine) where fewer threads could run.
QFAST_API double measure_bandwidth(std::size_t bytes, int threads, int repeats, Isa isa);

// Floating-point operations a second of fused multiply-adds (two operations each) on full vectors in registers. The
// best of `repeats` measurements of about 5 ms. Where the ISA has no fused multiply-add: of a multiplication and an
// addition.
QFAST_API double measure_fma_peak(Precision precision, int threads, int repeats, Isa isa);

}  // namespace qfast
