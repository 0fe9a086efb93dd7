// Types that every layer of the core shares.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>

// Symbols of libqfast that the Python extension and the C ABI may link against; all others are hidden.
#if defined(_WIN32)
#define QFAST_API __declspec(dllexport)
#else
#define QFAST_API __attribute__((visibility("default")))
#endif

namespace qfast {

enum class Precision : std::uint8_t { kComplex64 = 0, kComplex128 = 1 };

constexpr std::size_t amplitude_bytes(Precision p) { return p == Precision::kComplex64 ? 8 : 16; }

using Complex = std::complex<double>;

// One row per set of kernels; a higher one includes the lower ones.
enum class Isa : std::int8_t {
  kBaseline = 0,  // x86-64-v2, or what every processor of the architecture has
  kAvx2 = 1,      // AVX2, FMA, BMI1, BMI2
  kAvx512 = 2,    // AVX-512 F, DQ, BW, VL
};

constexpr int kNumIsas = 3;

}  // namespace qfast
