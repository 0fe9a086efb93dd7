// What the planner compares. All prices are in fused multiply-adds per amplitude, real and imaginary part together.
//
// The built-in numbers serve every machine, so that a plan can be the same everywhere; `qfast bench --tune` measures
// others. Amplitudes of two tables differ in their last bits at most; those of one table do not depend on anything
// else.
#pragma once

#include <array>
#include <string>

#include "base/types.h"
#include "kernels/tile_kernels.h"

namespace qfast {

constexpr int kMinTableTileBits = 8;
constexpr int kMaxTableTileBits = kMaxTileBits;
constexpr int kMaxRunBits = 8;  // longer runs of contiguous amplitudes make a pass no cheaper

// Work on amplitudes that are in registers. The defaults count what the kernels do.
struct StepCosts {
  double one = 6;          // 2 x 2 complex
  double controlled = 5;   // ... on half of the amplitudes or fewer
  double exchange = 2;     // cx, ccx …
  double diagonal = 4;     // by a table
  double pairs = 8;        // 4 x 4 that is two 2 x 2 blocks
  double dense_pair = 16;  // any 4 x 4
};

struct PlanCosts {
  int tile_bits = 14;
  // A sweep besides its steps, by the number of lowest memory bits that all lie in its tiles (the last entry: that many
  // or more). Dearer as runs of contiguous amplitudes get shorter: they fall into few sets of the cache. From single
  // sweeps of 2^24 amplitudes in tiles of 2^14, complex128, AVX-512, two cores of an AMD EPYC (Zen 5), 2026-11.
  std::array<double, kMaxRunBits + 1> pass = {250, 220, 190, 160, 130, 105, 80, 75, 64};
  StepCosts steps;
};

constexpr PlanCosts with_tile_bits(PlanCosts costs, int tile_bits) {
  costs.tile_bits = tile_bits;
  return costs;
}

struct CostTable {
  std::string name = "built-in";
  // A tile and the lines of the next one share a 1 MiB second-level cache.
  PlanCosts complex128 = with_tile_bits({}, 14);
  PlanCosts complex64 = with_tile_bits({}, 15);

  const PlanCosts& of(Precision precision) const { return precision == Precision::kComplex64 ? complex64 : complex128; }
};

// Throws Error(kInput) that names the entry, where a tile has no allowed size or a price is not a positive number.
QFAST_API void check_cost_table(const CostTable& table);

}  // namespace qfast
