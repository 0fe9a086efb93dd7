"""The machine, the memory of states and the cancel token, through the core's bindings."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from qfast import _core
from qfast.errors import CapacityError, InputError


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds the same qfast."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=variables)


def test_the_processor_is_described() -> None:
    info = _core.cpu_info()
    assert info["model"]
    assert info["cache_line_bytes"] in (32, 64, 128, 256)
    assert _core.default_threads() >= 1
    limit, available = _core.memory_limit()
    assert 0 < available <= limit


@pytest.mark.parametrize("isa", _core.isa_available())
def test_an_isa_is_forced_by_the_environment(isa: str) -> None:
    done = run_python("from qfast import _core; print(_core.isa_default())", QFAST_ISA=isa)
    assert done.stdout.strip() == isa


def test_an_isa_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = run_python("from qfast import _core; _core.isa_default()", QFAST_ISA="sse2")
    assert done.returncode != 0
    assert "EngineError: environment variable QFAST_ISA: unknown ISA 'sse2'" in done.stderr
    assert "baseline" in done.stderr


def test_slurm_limits_the_default_threads() -> None:
    done = run_python("from qfast import _core; print(_core.default_threads())", SLURM_CPUS_PER_TASK="1")
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(("code", "dtype"), [("F", np.complex64), ("D", np.complex128)])
@pytest.mark.parametrize("num_qubits", [0, 1, 10, 18])
def test_a_state_is_an_aligned_array(code: str, dtype: type, num_qubits: int) -> None:
    state = _core.allocate_state(num_qubits, code)
    assert state.shape == (1 << num_qubits,)
    assert state.dtype == dtype
    assert state.flags.writeable
    assert state.flags.c_contiguous
    assert state.ctypes.data % (2 << 20 if state.nbytes >= 2 << 20 else 64) == 0
    state[:] = 1


def test_the_memory_of_a_dead_array_serves_the_next_state() -> None:
    _core.trim_buffers()
    state = _core.allocate_state(17, "D")
    view = state[5:10]
    address = state.ctypes.data
    before = _core.buffer_stats()
    del state
    gc.collect()
    assert _core.buffer_stats()["live_bytes"] == before["live_bytes"]  # the view holds it
    del view
    gc.collect()
    stats = _core.buffer_stats()
    assert stats["live_bytes"] == before["live_bytes"] - (2 << 20)
    assert stats["kept_bytes"] == 2 << 20
    assert _core.allocate_state(17, "D").ctypes.data == address
    assert _core.buffer_stats()["reuses"] == before["reuses"] + 1
    _core.trim_buffers()
    assert _core.buffer_stats()["kept_bytes"] == 0


def test_a_budget_of_zero_keeps_nothing() -> None:
    budget = _core.buffer_stats()["budget_bytes"]
    _core.set_buffer_budget(0)
    try:
        _core.allocate_state(17, "D")[:] = 0
        gc.collect()
        assert _core.buffer_stats()["kept_bytes"] == 0
    finally:
        _core.set_buffer_budget(budget)


def test_a_state_that_does_not_fit_is_refused_with_the_bytes() -> None:
    with pytest.raises(CapacityError, match="a state needs 281474976710656 bytes") as caught:
        _core.allocate_state(44, "D")
    assert "the largest power of two that fits is" in str(caught.value)
    with pytest.raises(CapacityError, match="a state of 99 qubits was asked for; 0 to 58 can be addressed"):
        _core.allocate_state(99, "D")
    with pytest.raises(InputError, match="a state of -1 qubits"):
        _core.allocate_state(-1, "D")
    with pytest.raises(InputError, match="type 'd' was asked for"):
        _core.allocate_state(1, "d")


def test_states_come_and_go_on_many_threads() -> None:
    def work() -> None:
        for i in range(50):
            _core.allocate_state(12 + i % 4, "D")[:] = i

    before = _core.buffer_stats()["live_bytes"]
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert _core.buffer_stats()["live_bytes"] == before


# Python warns of every fork beside threads; that this one is safe is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes_on_its_own_threads_and_memory() -> None:
    state = _core.allocate_state(16, "D")
    state[:] = 2.0**-8
    assert _core.norm_squared(state, 2) == 1  # the parent's thread has started
    child = os.fork()
    if child == 0:
        fresh = _core.allocate_state(16, "D")
        fresh[:] = 2.0**-8
        good = _core.norm_squared(state, 2) == 1 and _core.norm_squared(fresh, 2) == 1
        os._exit(0 if good and _core.buffer_stats()["kept_bytes"] == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_cancel_token_stays_set() -> None:
    token = _core.CancelToken()
    assert not token.cancelled
    assert token.progress() == (0, 0)
    token.cancel()
    assert token.cancelled
