#include <string>

#include "base/cpu_features.h"
#include "base/error.h"
#include "kernels/kernel_table.h"

namespace qfast {

const KernelTable& kernels_for(Isa isa) {
  if (!isa_available(isa)) {
    throw Error(ErrorKind::kEngine, "ISA '" + std::string(isa_name(isa)) + "' is not available on this machine");
  }
#if defined(__x86_64__) || defined(_M_X64)
  if (isa == Isa::kAvx512) return *isa_avx512::kernel_table();
  if (isa == Isa::kAvx2) return *isa_avx2::kernel_table();
#endif
  return *isa_baseline::kernel_table();
}

}  // namespace qfast
