// Tests of csrc/run/roofline: what is made of measurements on a machine with other work to do.
#include "run/roofline.h"

#include <array>

#include "check.h"

using namespace qfast;

namespace {

TEST(a_worker_that_was_put_aside_disturbs_a_sample) {
  CHECK(is_undisturbed({5.0e-3, 4.9e-3}));
  CHECK(!is_undisturbed({9.0e-3, 4.9e-3}));
}

TEST(the_least_undisturbed_wall_time_counts) {
  CHECK(best_of(std::array<RooflineSample, 3>{{{5.2e-3, 5.0e-3}, {5.1e-3, 4.9e-3}, {40e-3, 4.0e-3}}}) == 5.1e-3);
}

TEST(where_all_samples_are_disturbed_processor_time_counts) {
  CHECK(best_of(std::array<RooflineSample, 2>{{{50e-3, 5.0e-3}, {40e-3, 5.2e-3}}}) == 5.0e-3);
}

TEST(limits_of_this_machine_are_positive) {
  CHECK(measure_bandwidth(1 << 16, 1, 1, Isa::kBaseline) > 0);
  CHECK(measure_fma_peak(Precision::kComplex64, 1, 1, Isa::kBaseline) >
        measure_fma_peak(Precision::kComplex128, 1, 1, Isa::kBaseline) / 2);
}

}  // namespace
