#include "base/cpu_features.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>

#include "base/error.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#define QFAST_X86 1
#else
#define QFAST_X86 0
#endif

namespace qfast {
namespace {

constexpr std::array<std::string_view, kNumIsas> kIsaNames{"baseline", "avx2", "avx512"};

std::string available_names() {
  std::string names;
  for (Isa isa : available_isas()) {
    if (!names.empty()) names += ", ";
    names += isa_name(isa);
  }
  return names;
}

#if QFAST_X86

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);  // all zero above the highest leaf
  return r;
}

// The register sets that the operating system saves at a context switch (XCR0).
unsigned saved_register_sets() {
  if (!(cpuid(1).c & bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool has_all(unsigned value, unsigned bits) { return (value & bits) == bits; }

Isa best_isa_of_processor() {
  constexpr unsigned kYmm = 0x06, kZmm = 0xE6;  // SSE and AVX; and the three parts of AVX-512
  const unsigned saved = saved_register_sets();
  const unsigned leaf1 = cpuid(1).c, leaf7 = cpuid(7).b;
  if (!has_all(saved, kYmm) || !has_all(leaf1, bit_AVX | bit_FMA) || !has_all(leaf7, bit_AVX2 | bit_BMI | bit_BMI2)) {
    return Isa::kBaseline;
  }
  if (!has_all(saved, kZmm) || !has_all(leaf7, bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL)) {
    return Isa::kAvx2;
  }
  return Isa::kAvx512;
}

std::string processor_model() {
  constexpr unsigned kFirst = 0x80000002u, kLast = 0x80000004u;  // 16 characters each
  if (__get_cpuid_max(0x80000000u, nullptr) < kLast) return {};
  char name[49] = {};
  for (unsigned leaf = kFirst; leaf <= kLast; ++leaf) {
    const Registers r = cpuid(leaf);
    const unsigned words[4] = {r.a, r.b, r.c, r.d};
    std::memcpy(name + 16 * (leaf - kFirst), words, sizeof words);
  }
  return name;
}

constexpr const char* kArchitecture = "x86_64";

#else

Isa best_isa_of_processor() { return Isa::kBaseline; }  // the only kernels that are compiled here

std::string processor_model() {
  std::ifstream file("/proc/device-tree/model");
  std::string name;
  std::getline(file, name, '\0');
  return name;
}

#if defined(__aarch64__)
constexpr const char* kArchitecture = "aarch64";
#else
constexpr const char* kArchitecture = "unknown";
#endif

#endif

std::string trimmed(std::string text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// The kernel's sizes look like "48K" or "32M".
std::size_t parse_size(const std::string& text) {
  char* end = nullptr;
  const std::size_t number = std::strtoull(text.c_str(), &end, 10);
  return number << (*end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0);
}

std::string first_word(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

CpuInfo read_cpu_info() {
  CpuInfo info;
  info.model = trimmed(processor_model());
  if (info.model.empty()) info.model = "unknown";
  info.architecture = kArchitecture;
  read_caches("/sys/devices/system/cpu/cpu0", info);
  return info;
}

}  // namespace

std::string_view isa_name(Isa isa) { return kIsaNames[static_cast<std::size_t>(isa)]; }

Isa isa_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kIsaNames.size(); ++i) {
    if (kIsaNames[i] == name) return static_cast<Isa>(i);
  }
  throw Error(ErrorKind::kEngine,
              "unknown ISA '" + std::string(name) +
                  "'; qfast has kernels for baseline, avx2 and avx512, and this machine can run: " + available_names());
}

bool isa_available(Isa isa) {
  static const Isa best = best_isa_of_processor();
  return isa <= best;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i < kNumIsas; ++i) {
    if (isa_available(static_cast<Isa>(i))) isas.push_back(static_cast<Isa>(i));
  }
  return isas;
}

Isa default_isa() {
  static const Isa isa = [] {
    const char* name = std::getenv("QFAST_ISA");
    if (name == nullptr || *name == '\0') return available_isas().back();
    Isa asked;
    try {
      asked = isa_from_name(name);
    } catch (const Error& error) {
      throw Error(error.kind(), std::string("environment variable QFAST_ISA: ") + error.what());
    }
    if (!isa_available(asked)) {
      throw Error(ErrorKind::kEngine, "environment variable QFAST_ISA asks for '" + std::string(name) +
                                          "', which this machine cannot run; it can run: " + available_names() +
                                          ". Unset QFAST_ISA to use the best of them");
    }
    return asked;
  }();
  return isa;
}

const CpuInfo& cpu_info() {
  static const CpuInfo info = read_cpu_info();
  return info;
}

bool read_caches(const std::string& cpu_directory, CpuInfo& info) {
  bool found = false;
  for (int index = 0; index < 16; ++index) {
    const std::string cache = cpu_directory + "/cache/index" + std::to_string(index);
    const std::string level = first_word(cache + "/level");
    if (level.empty()) break;
    if (first_word(cache + "/type") == "Instruction") continue;
    const std::size_t size = parse_size(first_word(cache + "/size"));
    if (level == "1") info.l1_bytes = size;
    if (level == "2") info.l2_bytes = size;
    if (level == "3") info.l3_bytes = size;
    const std::size_t line = parse_size(first_word(cache + "/coherency_line_size"));
    if (line != 0) info.cache_line_bytes = line;
    found = true;
  }
  return found;
}

}  // namespace qfast
