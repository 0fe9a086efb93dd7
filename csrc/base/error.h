// The one exception type of the core. The bindings turn it into the Python error of the same family, the C ABI
// into an error code with a message; no other exception is thrown on purpose.
#pragma once

#include <stdexcept>
#include <string>

#include "base/types.h"

namespace qfast {

// One row per family; the names are those of qfast/errors.py (bindings/errors.cpp) and qfast.h (capi/capi.cc).
enum class ErrorKind : int {
  kInput = 1,       // InputError
  kCircuit = 2,     // CircuitError
  kGate = 3,        // GateError
  kParameter = 4,   // ParameterError
  kObservable = 5,  // ObservableError
  kQasm = 6,        // QasmError (line and column are set)
  kCapacity = 7,    // CapacityError
  kEngine = 8,      // EngineError
  kCancelled = 9,   // CancelledRunError
  kInternal = 10,   // EngineError: a bug of qfast
};

class QFAST_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, int line = 0, int column = 0)
      : std::runtime_error(message), kind_(kind), line_(line), column_(column) {}
  ErrorKind kind() const noexcept { return kind_; }
  int line() const noexcept { return line_; }
  int column() const noexcept { return column_; }

 private:
  ErrorKind kind_;
  int line_;
  int column_;
};

}  // namespace qfast
