#include "circuit/gates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace qfast {
namespace {

constexpr Complex kI{0.0, 1.0};
const double kSqrtHalf = std::sqrt(0.5);

Complex phase(double angle) { return {std::cos(angle), std::sin(angle)}; }

void set2(Complex* m, Complex a, Complex b, Complex c, Complex d) { m[0] = a, m[1] = b, m[2] = c, m[3] = d; }

void identity(Complex* m, int dim) {
  std::fill(m, m + dim * dim, Complex{});
  for (int i = 0; i < dim; ++i) m[i * dim + i] = 1.0;
}

void matrix_gphase(const double* p, Complex* m) { m[0] = phase(p[0]); }
void matrix_id(const double*, Complex* m) { identity(m, 2); }
void matrix_x(const double*, Complex* m) { set2(m, 0, 1, 1, 0); }
void matrix_y(const double*, Complex* m) { set2(m, 0, -kI, kI, 0); }
void matrix_z(const double*, Complex* m) { set2(m, 1, 0, 0, -1); }
void matrix_h(const double*, Complex* m) { set2(m, kSqrtHalf, kSqrtHalf, kSqrtHalf, -kSqrtHalf); }
void matrix_s(const double*, Complex* m) { set2(m, 1, 0, 0, kI); }
void matrix_sdg(const double*, Complex* m) { set2(m, 1, 0, 0, -kI); }
void matrix_t(const double*, Complex* m) { set2(m, 1, 0, 0, {kSqrtHalf, kSqrtHalf}); }
void matrix_tdg(const double*, Complex* m) { set2(m, 1, 0, 0, {kSqrtHalf, -kSqrtHalf}); }
void matrix_sx(const double*, Complex* m) { set2(m, {0.5, 0.5}, {0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}); }
void matrix_sxdg(const double*, Complex* m) { set2(m, {0.5, -0.5}, {0.5, 0.5}, {0.5, 0.5}, {0.5, -0.5}); }
void matrix_rx(const double* p, Complex* m) {
  const double c = std::cos(p[0] / 2), s = std::sin(p[0] / 2);
  set2(m, c, {0, -s}, {0, -s}, c);
}
void matrix_ry(const double* p, Complex* m) {
  const double c = std::cos(p[0] / 2), s = std::sin(p[0] / 2);
  set2(m, c, -s, s, c);
}
void matrix_rz(const double* p, Complex* m) {
  const Complex e = phase(p[0] / 2);
  set2(m, std::conj(e), 0, 0, e);
}
void matrix_p(const double* p, Complex* m) { set2(m, 1, 0, 0, phase(p[0])); }
void matrix_r(const double* p, Complex* m) {  // rotation by p[0] about the axis cos(p[1]) X + sin(p[1]) Y
  const double c = std::cos(p[0] / 2), s = std::sin(p[0] / 2);
  const Complex e = phase(p[1]);
  set2(m, c, -kI * std::conj(e) * s, -kI * e * s, c);
}
void matrix_u(const double* p, Complex* m) {
  const double c = std::cos(p[0] / 2), s = std::sin(p[0] / 2);
  const Complex before = phase(p[2]), after = phase(p[1]);
  set2(m, c, -before * s, after * s, after * before * c);
}
void matrix_u1(const double* p, Complex* m) { matrix_p(p, m); }
void matrix_u2(const double* p, Complex* m) {
  const double full[3] = {std::numbers::pi / 2, p[0], p[1]};
  matrix_u(full, m);
}
void matrix_u3(const double* p, Complex* m) { matrix_u(p, m); }

// The rows with controls of their own: the matrix of the target alone.
void matrix_cx(const double* p, Complex* m) { matrix_x(p, m); }
void matrix_cy(const double* p, Complex* m) { matrix_y(p, m); }
void matrix_cz(const double* p, Complex* m) { matrix_z(p, m); }
void matrix_ch(const double* p, Complex* m) { matrix_h(p, m); }
void matrix_cs(const double* p, Complex* m) { matrix_s(p, m); }
void matrix_csdg(const double* p, Complex* m) { matrix_sdg(p, m); }
void matrix_csx(const double* p, Complex* m) { matrix_sx(p, m); }
void matrix_cp(const double* p, Complex* m) { matrix_p(p, m); }
void matrix_cu1(const double* p, Complex* m) { matrix_p(p, m); }
void matrix_crx(const double* p, Complex* m) { matrix_rx(p, m); }
void matrix_cry(const double* p, Complex* m) { matrix_ry(p, m); }
void matrix_crz(const double* p, Complex* m) { matrix_rz(p, m); }
void matrix_cu(const double* p, Complex* m) {
  matrix_u(p, m);
  const Complex g = phase(p[3]);
  for (int i = 0; i < 4; ++i) m[i] *= g;
}
void matrix_cu3(const double* p, Complex* m) { matrix_u(p, m); }
void matrix_ccx(const double* p, Complex* m) { matrix_x(p, m); }
void matrix_ccz(const double* p, Complex* m) { matrix_z(p, m); }
void matrix_c3x(const double* p, Complex* m) { matrix_x(p, m); }
void matrix_c3sx(const double* p, Complex* m) { matrix_sx(p, m); }
void matrix_c4x(const double* p, Complex* m) { matrix_x(p, m); }

// Two-qubit rows: index = first qubit + 2 * second qubit.
void permute(Complex* m, std::initializer_list<int> images) {
  const int dim = static_cast<int>(images.size());
  std::fill(m, m + dim * dim, Complex{});
  int col = 0;
  for (int row : images) m[row * dim + col++] = 1.0;
}
void matrix_swap(const double*, Complex* m) { permute(m, {0, 2, 1, 3}); }
void matrix_cswap(const double* p, Complex* m) { matrix_swap(p, m); }
void matrix_iswap(const double*, Complex* m) {
  permute(m, {0, 2, 1, 3});
  m[1 * 4 + 2] = m[2 * 4 + 1] = kI;
}
void matrix_dcx(const double*, Complex* m) { permute(m, {0, 2, 3, 1}); }  // cx(0,1) then cx(1,0)
void matrix_ecr(const double*, Complex* m) {                              // (X on qubit 0, then I - i ZX) / sqrt 2
  std::fill(m, m + 16, Complex{});
  m[0 * 4 + 1] = m[1 * 4 + 0] = kSqrtHalf;
  m[2 * 4 + 3] = m[3 * 4 + 2] = kSqrtHalf;
  m[0 * 4 + 3] = m[2 * 4 + 1] = kI * kSqrtHalf;
  m[1 * 4 + 2] = m[3 * 4 + 0] = -kI * kSqrtHalf;
}
void two_body(double c, Complex m00, Complex m11, Complex m22, Complex m33, Complex* m, const int (&partner)[4],
              const Complex (&off)[4]) {
  std::fill(m, m + 16, Complex{});
  m[0] = m00 * c, m[5] = m11 * c, m[10] = m22 * c, m[15] = m33 * c;
  for (int i = 0; i < 4; ++i) m[partner[i] * 4 + i] += off[i];
}
void matrix_rxx(const double* p, Complex* m) {
  const double c = std::cos(p[0] / 2);
  const Complex o = -kI * std::sin(p[0] / 2);
  two_body(c, 1, 1, 1, 1, m, {3, 2, 1, 0}, {o, o, o, o});
}
void matrix_ryy(const double* p, Complex* m) {
  const double c = std::cos(p[0] / 2);
  const Complex o = -kI * std::sin(p[0] / 2);
  two_body(c, 1, 1, 1, 1, m, {3, 2, 1, 0}, {-o, o, o, -o});
}
void matrix_rzz(const double* p, Complex* m) {
  const Complex f = phase(p[0] / 2), e = std::conj(f);
  std::fill(m, m + 16, Complex{});
  m[0] = e, m[5] = f, m[10] = f, m[15] = e;
}
void matrix_rzx(const double* p, Complex* m) {  // exp(-i θ/2 X₁Z₀): Z on the first qubit, X on the second
  const double c = std::cos(p[0] / 2);
  const Complex o = -kI * std::sin(p[0] / 2);
  two_body(c, 1, 1, 1, 1, m, {2, 3, 0, 1}, {o, -o, o, -o});
}
void matrix_xx_plus_yy(const double* p, Complex* m) {  // Qiskit's XXPlusYYGate(θ, β)
  const double c = std::cos(p[0] / 2);
  const Complex o = -kI * std::sin(p[0] / 2);
  identity(m, 4);
  m[5] = m[10] = c;
  m[1 * 4 + 2] = o * phase(-p[1]);
  m[2 * 4 + 1] = o * phase(p[1]);
}
void matrix_xx_minus_yy(const double* p, Complex* m) {  // Qiskit's XXMinusYYGate(θ, β)
  const double c = std::cos(p[0] / 2);
  const Complex o = -kI * std::sin(p[0] / 2);
  identity(m, 4);
  m[0] = m[15] = c;
  m[0 * 4 + 3] = o * phase(-p[1]);
  m[3 * 4 + 0] = o * phase(p[1]);
}
void matrix_fsim(const double* p, Complex* m) {  // Cirq's FSimGate(θ, φ)
  identity(m, 4);
  m[5] = m[10] = std::cos(p[0]);
  m[1 * 4 + 2] = m[2 * 4 + 1] = -kI * std::sin(p[0]);
  m[15] = phase(-p[1]);
}
void matrix_rccx(const double*, Complex* m) {  // Margolus gate, as Qiskit's RCCXGate
  identity(m, 8);
  m[5 * 8 + 5] = -1.0;
  m[3 * 8 + 3] = m[7 * 8 + 7] = 0.0;
  m[3 * 8 + 7] = -kI;
  m[7 * 8 + 3] = kI;
}
void matrix_rc3x(const double*, Complex* m) {  // Qiskit's RC3XGate
  identity(m, 16);
  m[11 * 16 + 11] = m[13 * 16 + 13] = m[14 * 16 + 14] = 1.0;
  m[7 * 16 + 7] = m[15 * 16 + 15] = 0.0;
  m[7 * 16 + 15] = 1.0;
  m[15 * 16 + 7] = -1.0;
  m[3 * 16 + 3] = kI;
  m[11 * 16 + 11] = -kI;
}

constexpr int kFixed = 0
#define QFAST_GATE(id, name, controls, targets, params) +1
#include "circuit/gates.def"
#undef QFAST_GATE
    ;

const std::array<GateRow, kNumGates> kTable = {{
#define QFAST_GATE(id, name, controls, targets, params) \
  {name, controls, targets, params, DataKind::kNone, &matrix_##id},
#include "circuit/gates.def"
#undef QFAST_GATE
    {"unitary", 0, -1, 0, DataKind::kMatrix, nullptr},
    {"diagonal", 0, -1, 0, DataKind::kDiagonal, nullptr},
    {"permutation", 0, -1, 0, DataKind::kPermutation, nullptr},
    {"pauli_rotation", 0, -1, 1, DataKind::kPauli, nullptr},
}};
static_assert(kFixed + 4 == kNumGates);

}  // namespace

std::span<const GateRow> gate_table() { return kTable; }

int find_gate(std::string_view name) {
  const auto it = std::find_if(kTable.begin(), kTable.end(), [&](const GateRow& row) { return row.name == name; });
  return it == kTable.end() ? -1 : static_cast<int>(it - kTable.begin());
}

}  // namespace qfast
