// Amplitudes that someone else owns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bits.h"
#include "base/types.h"
#include "kernels/kernel_table.h"

namespace qfast {

// 2^num_qubits interleaved complex numbers, of any alignment.
struct StateView {
  const void* amplitudes = nullptr;
  int num_qubits = 0;
  Precision precision = Precision::kComplex128;

  std::size_t size() const { return std::size_t{1} << num_qubits; }
};

// Calls body(amplitudes, kernels) with the state's own number type: const float* or const double*.
template <class Body>
decltype(auto) with_amplitudes(const StateView& state, Isa isa, const Body& body) {
  const KernelTable& table = kernels_for(isa);
  if (state.precision == Precision::kComplex64) {
    return body(static_cast<const float*>(state.amplitudes), reduce_kernels_of<float>(table));
  }
  return body(static_cast<const double*>(state.amplitudes), reduce_kernels_of<double>(table));
}

// Below this many amplitudes waking a thread costs more than it brings.
constexpr std::size_t kParallelAmplitudes = std::size_t{1} << 15;

inline int useful_threads(int threads, std::size_t amplitudes_read) {
  return amplitudes_read < kParallelAmplitudes ? 1 : threads;
}

}  // namespace qfast
