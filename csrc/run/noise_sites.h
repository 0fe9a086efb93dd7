// Which errors happen in which shots. Site s of a shot decides by the uniform u(seed, shot, first site + s) of
// base/philox.h: outcome k happens where u lies between its cumulative probability and the one before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/types.h"
#include "run/sampling.h"

namespace qfast {

struct ErrorsDrawn {
  std::vector<std::int64_t> shots;   // from 0
  std::vector<std::int64_t> errors;  // outcomes other than the first of each
                                     // site, numbered from site to site
};

// thresholds[ends[s - 1]..ends[s]): cumulative probabilities of site s; the last outcome takes what is left of the unit
// interval. shots.site is the first site. Errors come site by site, within a site by ascending shot.
QFAST_API ErrorsDrawn draw_errors(const ShotRange& shots, std::span<const double> thresholds,
                                  std::span<const std::int64_t> ends, Isa isa, int threads);

}  // namespace qfast
