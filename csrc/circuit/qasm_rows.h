// Gate rows while a text is read: the bodies of gate definitions and what modifiers make of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "circuit/flat.h"
#include "circuit/gates.h"

namespace qfast::qasm {

constexpr int kMaxCode = 4096;                  // items of one parameter expression
constexpr std::size_t kMaxPool = 1 << 24;       // items of all that are kept at a time
constexpr std::size_t kMaxExpansion = 1 << 20;  // gates that one call or definition may expand to

// An angle: a number, or (count > 0) the postfix code of an expression of parameters, in a CodePool.
struct Angle {
  double number = 0.0;
  std::int32_t first = 0;
  std::int32_t count = 0;
  bool is_number() const { return count == 0; }
};

struct CodeItem {
  ExprOp op{};
  std::int32_t parameter = 0;
  double constant = 0.0;
};

// Postfix code of parameter expressions. Every operation makes new code; the reader drops what a statement has made
// and nothing keeps.
class CodePool {
 public:
  Angle parameter(std::int32_t index);
  Angle unary(ExprOp op, const Angle& operand);
  Angle binary(ExprOp op, const Angle& left, const Angle& right);
  // The same expression with each parameter replaced; a number where all are numbers.
  Angle substitute(const Angle& formal, std::span<const Angle> actual);

  std::span<const CodeItem> code(const Angle& angle) const {
    return {items_.data() + angle.first, static_cast<std::size_t>(angle.count)};
  }
  std::size_t size() const { return items_.size(); }
  void truncate(std::size_t size) { items_.resize(size); }

 private:
  void push(const Angle& angle);
  Angle finish(std::size_t first) const;

  std::vector<CodeItem> items_;
  std::vector<double> stack_;
};

struct GateInstance {
  std::uint16_t opcode = 0;
  std::uint16_t num_controls = 0;
  std::uint64_t ctrl_state = 0;
  std::int32_t data = -1;  // index into Matrices
  std::int32_t first_qubit = 0;
  std::int32_t num_qubits = 0;
  std::int32_t first_angle = 0;
  std::int32_t num_angles = 0;
};

// A sequence of gates on qubits 0, 1, ... of its own.
struct RowList {
  std::vector<GateInstance> rows;
  std::vector<std::int32_t> qubits;
  std::vector<Angle> angles;

  void clear();
  void push(GateInstance row, std::span<const std::int32_t> row_qubits, std::span<const Angle> row_angles);
  std::span<const std::int32_t> qubits_of(const GateInstance& row) const {
    return {qubits.data() + row.first_qubit, static_cast<std::size_t>(row.num_qubits)};
  }
  std::span<const Angle> angles_of(const GateInstance& row) const {
    return {angles.data() + row.first_angle, static_cast<std::size_t>(row.num_angles)};
  }
};

// Matrices of unitary rows and diagonals of diagonal rows.
using Matrices = std::vector<std::vector<Complex>>;

// The gate modifiers of OpenQASM 3. They throw Refusal (qasm_value.h) where there is no well-defined result.
class Modifiers {
 public:
  Modifiers(CodePool& codes, Matrices& matrices) : codes_(codes), matrices_(matrices) {}

  RowList inverse(const RowList& list);
  // n new qubits in front of the others control every gate; bit j of state is the value that new control j must have.
  RowList control(const RowList& list, int n, std::uint64_t state) const;
  RowList power(const RowList& list, std::int64_t exponent);
  // The principal power: eigenvalue e^{i phi}, -pi < phi <= pi, becomes e^{i phi exponent}.
  RowList fractional_power(const RowList& list, double exponent);
  // The same where the exponent is an expression of parameters.
  RowList symbolic_power(const RowList& list, const Angle& exponent);

 private:
  void push_inverse(RowList& out, const RowList& list, const GateInstance& row);
  bool push_scaled(RowList& out, const RowList& list, const GateInstance& row, double exponent, bool principal);
  bool push_one_qubit_power(RowList& out, const RowList& list, double exponent);
  bool push_involution_power(RowList& out, const RowList& list, double exponent);
  bool push_diagonal_power(RowList& out, const RowList& list, double exponent);
  bool target_matrix(const RowList& list, const GateInstance& row, std::vector<Complex>& matrix,
                     int& num_targets) const;
  std::int32_t keep(std::vector<Complex> matrix);

  CodePool& codes_;
  Matrices& matrices_;
};

}  // namespace qfast::qasm
