#include "circuit/qasm_library.h"

#include "circuit/gates.h"

namespace qfast::qasm {

std::span<const LibraryGate> builtin_gates(int version) {
  static constexpr LibraryGate kVersion2[] = {{"U", k_u}, {"CX", k_cx}};
  static constexpr LibraryGate kVersion3[] = {{"U", k_u}, {"gphase", k_gphase}};
  return version == 2 ? std::span<const LibraryGate>(kVersion2) : std::span<const LibraryGate>(kVersion3);
}

// clang-format off
std::span<const LibraryGate> qelib1() {
  static constexpr LibraryGate kGates[] = {
      {"u3", k_u3},   {"u2", k_u2},   {"u1", k_u1},   {"cx", k_cx},     {"id", k_id},       {"u0", k_id, true},
      {"u", k_u},     {"p", k_p},     {"x", k_x},     {"y", k_y},       {"z", k_z},         {"h", k_h},
      {"s", k_s},     {"sdg", k_sdg}, {"t", k_t},     {"tdg", k_tdg},   {"rx", k_rx},       {"ry", k_ry},
      {"rz", k_rz},   {"sx", k_sx},   {"sxdg", k_sxdg}, {"cz", k_cz},   {"cy", k_cy},       {"swap", k_swap},
      {"ch", k_ch},   {"ccx", k_ccx}, {"cswap", k_cswap}, {"crx", k_crx}, {"cry", k_cry},   {"crz", k_crz},
      {"cu1", k_cu1}, {"cp", k_cp},   {"cu3", k_cu3}, {"csx", k_csx},   {"cu", k_cu},       {"rxx", k_rxx},
      {"rzz", k_rzz}, {"rccx", k_rccx}, {"rc3x", k_rc3x}, {"c3x", k_c3x}, {"c3sqrtx", k_c3sx}, {"c4x", k_c4x},
      // names that older versions of the file used
      {"rcccx", k_rc3x}, {"cccx", k_c3x}, {"cccsqrtx", k_c3sx}, {"ccccx", k_c4x},
  };
  return kGates;
}

std::span<const LibraryGate> stdgates() {
  static constexpr LibraryGate kGates[] = {
      {"p", k_p},     {"x", k_x},     {"y", k_y},     {"z", k_z},         {"h", k_h},         {"s", k_s},
      {"sdg", k_sdg}, {"t", k_t},     {"tdg", k_tdg}, {"sx", k_sx},       {"rx", k_rx},       {"ry", k_ry},
      {"rz", k_rz},   {"cx", k_cx},   {"cy", k_cy},   {"cz", k_cz},       {"cp", k_cp},       {"crx", k_crx},
      {"cry", k_cry}, {"crz", k_crz}, {"ch", k_ch},   {"swap", k_swap},   {"ccx", k_ccx},     {"cswap", k_cswap},
      {"cu", k_cu},   {"CX", k_cx},   {"phase", k_p}, {"cphase", k_cp},   {"id", k_id},       {"u1", k_u1},
      {"u2", k_u2},   {"u3", k_u3},
  };
  return kGates;
}
// clang-format on

}  // namespace qfast::qasm
