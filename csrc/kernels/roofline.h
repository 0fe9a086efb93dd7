// Loops that reach the limits of the machine, one set per ISA: what a kernel could do if it did nothing else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qfast {

// Multiply-adds in flight: at least latency (4) × units (2) of today's cores, and few enough for 16 registers.
constexpr int kRooflineChains = 12;

struct RooflineKernels {
  // Reads and writes every byte of [data, data + bytes) once; bytes is a multiple of 64.
  void (*flip_signs)(void* data, std::size_t bytes);
  // `rounds` times kRooflineChains independent multiply-adds on full vectors. The sum that it returns keeps the
  // compiler from leaving the loop out.
  double (*multiply_add_f64)(std::int64_t rounds);
  double (*multiply_add_f32)(std::int64_t rounds);
  int lanes_f64;
  int lanes_f32;
};

}  // namespace qfast
