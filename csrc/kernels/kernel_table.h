// The kernels of one ISA as tables of function pointers, and the choice among them. The planner and the executor reach
// every kernel through a table; nothing else of an ISA's namespace is visible.
#pragma once

#include "base/types.h"
#include "kernels/lane_kernels.h"
#include "kernels/reduce_kernels.h"
#include "kernels/roofline.h"
#include "kernels/tile_kernels.h"
#include "kernels/trig_kernels.h"
#include "kernels/walk_kernels.h"

namespace qfast {

struct KernelTable {
  TileKernels<float> tile32;
  TileKernels<double> tile64;
  ReduceKernels<float> reduce32;
  ReduceKernels<double> reduce64;
  RealKernels real;
  LaneKernels<float> lanes32;
  LaneKernels<double> lanes64;
  RooflineKernels roofline;
  TrigKernels trig;
  WalkKernels<float> walk32;
  WalkKernels<double> walk64;
};

template <class T>
const TileKernels<T>& tile_kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == 4) {
    return table.tile32;
  } else {
    return table.tile64;
  }
}

template <class T>
const ReduceKernels<T>& reduce_kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == 4) {
    return table.reduce32;
  } else {
    return table.reduce64;
  }
}

template <class T>
const LaneKernels<T>& lane_kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == 4) {
    return table.lanes32;
  } else {
    return table.lanes64;
  }
}

template <class T>
const WalkKernels<T>& walk_kernels_of(const KernelTable& table) {
  if constexpr (sizeof(T) == 4) {
    return table.walk32;
  } else {
    return table.walk64;
  }
}

// One per isa_*.cc.
namespace isa_baseline {
const KernelTable* kernel_table();
}
namespace isa_avx2 {
const KernelTable* kernel_table();
}
namespace isa_avx512 {
const KernelTable* kernel_table();
}

// The kernels of an ISA; throws Error(kEngine) where this build does not have it. Whether the processor can run them is
// checked where the ISA is chosen (base/cpu_features.h).
const KernelTable& kernels_for(Isa isa);

}  // namespace qfast
