// The registrations that module.cpp calls.
#pragma once

#include <pybind11/pybind11.h>

namespace qfast {

void register_classical(pybind11::module_& m);
void register_columns(pybind11::module_& m);
void register_errors(pybind11::module_& m);
void register_program(pybind11::module_& m);
void register_qasm(pybind11::module_& m);
void register_quick(pybind11::module_& m);
void register_reduce(pybind11::module_& m);
void register_roofline(pybind11::module_& m);
void register_rows(pybind11::module_& m);
void register_sampling(pybind11::module_& m);
void register_system(pybind11::module_& m);
void register_trajectories(pybind11::module_& m);
void register_tune(pybind11::module_& m);
void register_walk(pybind11::module_& m);

}  // namespace qfast
