// The processor: which instruction sets its kernels may use, its caches, its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace qfast {

QFAST_API std::string_view isa_name(Isa isa);  // "baseline", "avx2", "avx512"

// Throws Error(kEngine) for an unknown name; the message lists those that this machine has.
QFAST_API Isa isa_from_name(std::string_view name);

// True if kernels for it are in the library, the processor has its instructions, and the system saves its registers.
QFAST_API bool isa_available(Isa isa);
QFAST_API std::vector<Isa> available_isas();  // ascending

// The ISA named by the environment variable QFAST_ISA, else the best available one. Decided at the first call and
// then fixed. Throws Error(kEngine) if QFAST_ISA names one that is unknown or that this machine lacks.
QFAST_API Isa default_isa();

struct CpuInfo {
  std::string model;         // as the processor names itself; "unknown" if it does not
  std::string architecture;  // "x86_64", "aarch64"
  // Data or unified cache sizes in bytes as the first processor sees them; 0 where the system does not tell.
  std::size_t l1_bytes = 0;
  std::size_t l2_bytes = 0;
  std::size_t l3_bytes = 0;
  std::size_t cache_line_bytes = 64;
};

QFAST_API const CpuInfo& cpu_info();

// Reads the caches below `cpu_directory` (/sys/devices/system/cpu/cpu0) into `info`; false if there are none.
QFAST_API bool read_caches(const std::string& cpu_directory, CpuInfo& info);

}  // namespace qfast
