// States as numpy arrays: what every binding that reads one needs.
#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <string>

#include "base/bits.h"
#include "base/cpu_features.h"
#include "base/error.h"
#include "run/state_view.h"

namespace qfast {

// 'F' for complex64, 'D' for complex128, both in this machine's byte order; 0 for all else.
inline char amplitude_kind(const pybind11::array& array) {
  const pybind11::dtype dtype = array.dtype();
  const char kind = dtype.char_();
  return (kind == 'F' || kind == 'D') && dtype.byteorder() == '=' ? kind : '\0';
}

// The amplitudes of a 1-D C-contiguous array of complex64 or complex128 with 2^n elements. Throws Error(kInput).
inline StateView view_state(const pybind11::array& state) {
  const char kind = amplitude_kind(state);
  if (kind == '\0') {
    throw Error(ErrorKind::kInput, "state has dtype " + std::string(pybind11::str(pybind11::object(state.dtype()))) +
                                       "; it must be complex64 or complex128 in native byte order");
  }
  const auto size = static_cast<std::uint64_t>(state.size());
  if (state.ndim() != 1 || !is_power_of_two(size)) {
    throw Error(ErrorKind::kInput,
                "state has shape " + std::string(pybind11::str(state.attr("shape"))) + "; it must be (2**n,)");
  }
  if (!(state.flags() & pybind11::array::c_style)) {
    throw Error(ErrorKind::kInput, "state has a stride of " + std::to_string(state.strides(0)) +
                                       " bytes; it must be C-contiguous: pass numpy.ascontiguousarray(state)");
  }
  return {state.data(), log2_exact(size), kind == 'F' ? Precision::kComplex64 : Precision::kComplex128};
}

using IsaName = std::optional<std::string>;

// The ISA of a name; without one, the process's default.
inline Isa isa_or_default(const IsaName& name) { return name ? isa_from_name(*name) : default_isa(); }

}  // namespace qfast
