// The extension qfast._core: short registrations, one per file.
#include <pybind11/pybind11.h>

#include "bindings/register.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of qfast.";
  qfast::register_classical(m);
  qfast::register_errors(m);
  qfast::register_columns(m);
  qfast::register_rows(m);
  qfast::register_program(m);
  qfast::register_qasm(m);
  qfast::register_quick(m);
  qfast::register_reduce(m);
  qfast::register_roofline(m);
  qfast::register_sampling(m);
  qfast::register_system(m);
  qfast::register_trajectories(m);
  qfast::register_tune(m);
  qfast::register_walk(m);
}
