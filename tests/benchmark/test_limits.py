"""The machine's limits and its fingerprint."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qfast.benchmark.fingerprint import differences, take_fingerprint
from qfast.benchmark.roofline import Limits, measure_limits
from qfast.errors import EngineError, InputError
from qfast.extension import core

LIMITS = Limits(num_qubits=20, precision="complex128", threads=2, bandwidth=32e9, peak_flops=100e9)


def test_many_flops_are_bound_by_the_peak() -> None:
    assert LIMITS.least_seconds(1000) == pytest.approx(1000 * 2**20 / 100e9)


def test_few_flops_are_bound_by_the_bandwidth() -> None:
    assert LIMITS.least_seconds(1) == pytest.approx(2**20 * 16 * 2 / 32e9)


def test_limits_are_measured_by_the_core_or_refused_with_the_reason() -> None:
    if core is None:
        with pytest.raises(EngineError, match="native core, which is absent"):
            measure_limits(4, "complex128", 1)
        return
    for precision in ("complex64", "complex128"):
        limits = measure_limits(12, precision, 1, isa="baseline", repeats=1)
        assert 1e8 < limits.bandwidth < 1e14
        assert 1e8 < limits.peak_flops < 1e14


def test_the_core_refuses_sizes_and_precisions_that_mean_nothing() -> None:
    if core is None:
        return
    with pytest.raises(InputError, match="bytes is 0; it must be at least 1"):
        core.measure_bandwidth(0, 1, 1)
    with pytest.raises(InputError, match="threads is 0"):
        core.measure_fma_peak("complex64", 0, 1)
    with pytest.raises(InputError, match="precision is 'double'; it may be 'complex64' or 'complex128'"):
        core.measure_fma_peak("double", 1, 1)


def test_the_fingerprint_is_json_and_names_the_machine_and_the_versions() -> None:
    fingerprint = json.loads(json.dumps(take_fingerprint(threads=3, isa="avx2")))
    assert fingerprint["cpu"]
    assert fingerprint["threads"] == 3
    assert fingerprint["isa"] == "avx2"
    assert fingerprint["numpy"] == np.__version__
    assert fingerprint["date"].endswith("+00:00")


def test_only_hardware_makes_fingerprints_differ() -> None:
    here = take_fingerprint(threads=1)
    assert differences(here, here | {"date": "yesterday", "commit": "x"}) == []
    assert differences(here, here | {"cpu": "another"}) == [f"cpu: {here['cpu']} / another"]
