// Sines and cosines of many angles.
#pragma once

#include <cstddef>

namespace qfast {

// Angles beyond this are for the C library.
constexpr double kLargestAngle = 1e5;

struct TrigKernels {
  // sines[k], cosines[k] of angles[k], |angle| <= kLargestAngle, within two units in the last place. The arrays may not
  // overlap.
  void (*sines_cosines)(const double* angles, std::size_t count, double* sines, double* cosines);
};

}  // namespace qfast
