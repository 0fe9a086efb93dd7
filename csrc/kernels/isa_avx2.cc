// The kernels for avx2; compiled with that ISA's flags. Only kernel_table() is visible outside.
#include "kernels/kernel_table.h"

#define QFAST_SIMD_NS isa_avx2
#define QFAST_SIMD_BYTES 32

// clang-format off: simd.h comes first
#include "kernels/simd.h"
#include "kernels/reduce.inl"
#include "kernels/lanes.inl"
#include "kernels/roofline.inl"
#include "kernels/tile.inl"
#include "kernels/trig.inl"
#include "kernels/walk.inl"
// clang-format on

namespace qfast::isa_avx2 {

const KernelTable* kernel_table() {
  static constexpr KernelTable kTable{tile_kernels<float>(),    tile_kernels<double>(), reduce_kernels<float>(),
                                      reduce_kernels<double>(), real_kernels(),         lane_kernels<float>(),
                                      lane_kernels<double>(),   roofline_kernels(),     trig_kernels(),
                                      walk_kernels<float>(),    walk_kernels<double>()};
  return &kTable;
}

}  // namespace qfast::isa_avx2
