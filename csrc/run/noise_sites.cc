#include "run/noise_sites.h"

#include <algorithm>
#include <array>

#include "base/thread_pool.h"
#include "kernels/kernel_table.h"

namespace qfast {
namespace {

constexpr std::int64_t kShotsAtOnce = 1024;  // uniforms that stay in the first cache
constexpr std::int64_t kUniformsPerTask = 1 << 14;

}  // namespace

ErrorsDrawn draw_errors(const ShotRange& shots, std::span<const double> thresholds, std::span<const std::int64_t> ends,
                        Isa isa, int threads) {
  const RealKernels& real = kernels_for(isa).real;
  std::vector<ErrorsDrawn> of_site(ends.size());
  const auto draw_site = [&](std::size_t site) {
    const std::int64_t begin = site == 0 ? 0 : ends[site - 1];
    const auto own = thresholds.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(ends[site] - begin));
    const std::int64_t first_error = begin - static_cast<std::int64_t>(site);  // every site has one that is none
    std::array<double, kShotsAtOnce> uniforms;
    for (std::int64_t first = 0; first < shots.num_shots; first += kShotsAtOnce) {
      const std::int64_t count = std::min(kShotsAtOnce, shots.num_shots - first);
      real.philox_uniforms(shots.seed, shots.first_shot + static_cast<std::uint64_t>(first), shots.site + site,
                           static_cast<std::size_t>(count), uniforms.data());
      for (std::int64_t i = 0; i < count; ++i) {
        const double u = uniforms[static_cast<std::size_t>(i)];
        if (u < own[0] || own.size() == 1) continue;
        const auto outcome = std::upper_bound(own.begin() + 1, own.end() - 1, u) - own.begin();
        of_site[site].shots.push_back(first + i);
        of_site[site].errors.push_back(first_error + outcome - 1);
      }
    }
  };
  const std::int64_t grain = std::max<std::int64_t>(1, kUniformsPerTask / std::max<std::int64_t>(1, shots.num_shots));
  parallel_for(threads, static_cast<std::int64_t>(ends.size()), grain, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t site = from; site < to; ++site) draw_site(static_cast<std::size_t>(site));
  });
  ErrorsDrawn all;
  for (const ErrorsDrawn& drawn : of_site) {
    all.shots.insert(all.shots.end(), drawn.shots.begin(), drawn.shots.end());
    all.errors.insert(all.errors.end(), drawn.errors.begin(), drawn.errors.end());
  }
  return all;
}

}  // namespace qfast
