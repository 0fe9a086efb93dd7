// Columns of numbers as numpy arrays.
#pragma once

#include <pybind11/numpy.h>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace qfast {

// An argument: anything that numpy converts.
template <class T>
using Column = pybind11::array_t<T, pybind11::array::c_style | pybind11::array::forcecast>;

template <class T>
std::span<const T> span_of(const Column<T>& column) {
  return {column.data(), static_cast<std::size_t>(column.size())};
}

// A numpy array that owns the vector's memory.
template <class T>
pybind11::array_t<T> array_of(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  const pybind11::capsule owner(owned, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(owned->size()), owned->data(), owner);
}

}  // namespace qfast
