// The gate libraries that OpenQASM texts include, as rows of the gate table.
//
// Global phases: both libraries mean Qiskit's matrices. In particular U (and u, u2, u3) is
// [[cos t/2, -e^{il} sin t/2], [e^{ip} sin t/2, e^{i(p+l)} cos t/2]], the matrix of the published OpenQASM 3 paper and
// of Qiskit; the live specification multiplies it by e^{it/2} and corrects that in stdgates.inc. rz is exp(-i t/2 Z) in
// both languages, although qelib1.inc once defined it as u1.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace qfast::qasm {

struct LibraryGate {
  std::string_view name;
  std::uint16_t opcode;
  bool drops_parameter = false;  // u0(gamma): an idle time, which means nothing here
};

std::span<const LibraryGate> builtin_gates(int version);  // known without any include
std::span<const LibraryGate> qelib1();                    // OpenQASM 2, with what Qiskit has added to it
std::span<const LibraryGate> stdgates();                  // OpenQASM 3

}  // namespace qfast::qasm
