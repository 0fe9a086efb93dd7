"""What is refused, by which family of errors and with which words; nothing is half-done."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast import Circuit, Parameter, PauliSum, Statevector
from qfast.engines import memory, native
from qfast.engines.memory import MemoryLimits
from qfast.errors import CapacityError, ConfigError, EngineError, InputError, ObservableError, ParameterError

BELL = Circuit(2).h(0).cx(0, 1)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([1, 1, 0, 0], r"initial_state is not a normalised state: the sum of \|amplitude\|² is 2"),
        ([np.nan, 0, 0, 0], "not a normalised state"),
        ([np.inf, 0, 0, 0], "not a normalised state"),
        ([1, 0], r"initial_state has shape \(2,\); it must be \(4,\) for 2 qubits"),
        ([[1, 0], [0, 0]], r"initial_state has shape \(2, 2\)"),
        (np.zeros((0,)), r"shape \(0,\)"),
        (["1", "0", "0", "0"], "initial_state has dtype <U1; numbers are needed"),
        (np.array([1, 0, 0, None]), "initial_state has dtype object"),
        ([[1, 0], [0]], "initial_state is no array of amplitudes"),
    ],
)
def test_a_bad_start_state_is_refused(where, start, message) -> None:
    with pytest.raises(InputError, match=message):
        qfast.simulate(BELL, initial_state=start, **where)


def test_a_state_in_single_precision_may_be_off_by_its_rounding(where) -> None:
    start = np.full(4, 0.5 + 1e-6, dtype=np.complex64)
    assert qfast.simulate(BELL, initial_state=start, **where).num_qubits == 2
    with pytest.raises(InputError, match="not a normalised state"):
        qfast.simulate(BELL, initial_state=start.astype(np.complex128), **where)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([0, 0, 0, 0], "out must be a numpy array, list given"),
        (np.zeros(4), "out has dtype float64; this run needs complex128"),
        (np.zeros(4, dtype=np.complex64), "out has dtype complex64; this run needs complex128"),
        (np.zeros(4, dtype=">c16"), "native byte order"),
        (np.zeros(8, dtype=np.complex128), r"out has shape \(8,\); it must be \(4,\) for 2 qubits"),
        (np.zeros(8, dtype=np.complex128)[::2], "out must be C-contiguous"),
        (np.zeros(65, dtype=np.uint8)[1:].view(np.complex128), "out must be C-contiguous and aligned"),
        (np.broadcast_to(np.complex128(0), 4), "out must be C-contiguous"),
    ],
)
def test_a_bad_buffer_is_refused(where, out, message) -> None:
    with pytest.raises(InputError, match=message):
        qfast.simulate(BELL, out=out, **where)


def test_a_read_only_buffer_is_refused(where) -> None:
    out = np.zeros(4, dtype=np.complex128)
    out.flags.writeable = False
    with pytest.raises(InputError, match="out is read-only"):
        qfast.simulate(BELL, out=out, **where)


def test_a_refused_run_leaves_the_buffer_alone(where) -> None:
    out = np.full(4, 7, dtype=np.complex128)
    with pytest.raises(InputError):
        qfast.simulate(BELL, initial_state=[1, 1, 0, 0], out=out, **where)
    assert (out == 7).all()


def test_unbound_parameters_are_all_named(where) -> None:
    circuit = Circuit(1).rx(Parameter("alpha"), 0).ry(Parameter("beta"), 0)
    with pytest.raises(ParameterError, match="no value for 2 of 2 parameters: 'alpha', 'beta'"):
        qfast.simulate(circuit, **where)
    with pytest.raises(ParameterError, match="no value for 1 of 2 parameters: 'beta'"):
        qfast.sample(circuit, 10, parameters={"alpha": 1.0}, **where)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"t": np.nan}, "'t': nan is not finite"),
        ({"t": "x"}, "'x' is not a real number"),
        ({"t": 1.0, "s": 2.0}, "there is no parameter 's'"),
        ([1.0, 2.0], "2 parameter values given for 1 parameters"),
        ({"t": Parameter("u")}, "the value of parameter 't' is the expression u; a number is needed"),
        ({"t": 1j}, "not a real number"),
    ],
)
def test_bad_parameter_values_are_refused(where, values, message) -> None:
    with pytest.raises(ParameterError, match=message):
        qfast.simulate(Circuit(1).rx(Parameter("t"), 0), parameters=values, **where)


def test_an_expression_without_a_finite_value_is_refused(where) -> None:
    circuit = Circuit(1).rx(1 / Parameter("t"), 0)
    with pytest.raises(ParameterError, match="no finite"):
        qfast.simulate(circuit, parameters={"t": 0.0}, **where)


def test_parameters_for_a_circuit_without_any_are_refused(where) -> None:
    with pytest.raises(ParameterError, match="there is no parameter 't'"):
        qfast.simulate(BELL, parameters={"t": 1.0}, **where)


@pytest.mark.parametrize("shots", [0, -5, 1.5, True, None, "10"])
def test_shots_are_positive_integers(where, shots) -> None:
    with pytest.raises(InputError, match="must be a positive integer"):
        qfast.sample(BELL, shots, **where)
    with pytest.raises(InputError, match="must be a positive integer"):
        qfast.simulate(BELL, **where).sample(shots)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "7"])
def test_seeds_are_64_bit_integers(where, seed) -> None:
    with pytest.raises(InputError, match=r"must be an integer from 0 to 2\*\*64 - 1"):
        qfast.sample(BELL, 10, seed=seed, **where)


@pytest.mark.parametrize("name", ["probabilities", "reduced_density_matrix", "entropy"])
@pytest.mark.parametrize(("qubits", "message"), [([2], "qubit 2 is out"), ([-1], "qubit -1"), ([0, 0], "named twice")])
def test_qubits_are_checked(where, name, qubits, message) -> None:
    state = qfast.simulate(BELL, **where)
    with pytest.raises(InputError, match=message):
        getattr(state, name)(qubits)
    with pytest.raises(InputError, match=message):
        state.sample(1, qubits=qubits)


def test_basis_states_are_checked(where) -> None:
    state = qfast.simulate(BELL, **where)
    with pytest.raises(InputError, match="basis state 4 is out of range"):
        state.amplitude(4)
    with pytest.raises(InputError, match="must hold one 0 or 1 for each of 2 qubits"):
        state.amplitude("012")


def test_observables_are_checked(where) -> None:
    state = qfast.simulate(BELL, **where)
    with pytest.raises(ObservableError, match="acts on qubit 2"):
        state.expectation(PauliSum([("Z", [2])]))
    with pytest.raises(ObservableError, match=r"an observable is a qfast\.PauliSum, Projector, .*, str given"):
        state.expectation(["ZZ"])
    with pytest.raises(ObservableError, match="an observable is a"):
        state.expectation(3)
    with pytest.raises(ObservableError, match="acts on qubit 5"):
        state.variance(PauliSum([("Z", [5])]))


def test_states_of_different_size_have_no_inner_product(where) -> None:
    a, b = qfast.simulate(BELL, **where), qfast.simulate(Circuit(3), **where)
    with pytest.raises(InputError, match="states of 2 and 3 qubits"):
        a.fidelity(b)
    with pytest.raises(InputError, match="another Statevector, list given"):
        a.inner_product([1, 0, 0, 0])


def test_unknown_outputs_and_methods_are_refused(where) -> None:
    state = qfast.simulate(BELL, **where)
    with pytest.raises(InputError, match="output 'list' is unknown"):
        state.sample(1, output="list")
    with pytest.raises(InputError, match="draws 'fast' is unknown"):
        state.sample(1, draws="fast")
    with pytest.raises(InputError, match="method 'fast' is unknown; allowed: 'auto', 'terminal', 'branches'"):
        qfast.sample(BELL, 1, method="fast", **where)
    with pytest.raises(InputError, match='ask for output="counts"'):
        state.sample(1, draws="multinomial")


def test_a_state_must_be_normalised_and_one_dimensional() -> None:
    with pytest.raises(InputError, match="amplitudes is not a normalised state"):
        Statevector([1, 1])
    with pytest.raises(InputError, match=r"amplitudes has shape \(3,\)"):
        Statevector([1, 0, 0])


def test_files_that_hold_no_state_are_refused(tmp_path) -> None:
    state = qfast.simulate(BELL)
    with pytest.raises(InputError, match=r"the suffix must be \.npy or \.npz"):
        state.save(tmp_path / "state.txt")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="holds no array 'amplitudes'; it holds x"):
        Statevector.load(tmp_path / "other.npz")
    np.save(tmp_path / "other.npy", np.ones(4))
    with pytest.raises(InputError, match="not a normalised state"):
        Statevector.load(tmp_path / "other.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(InputError, match="holds no array"):
        Statevector.load(tmp_path / "text.npy")
    with pytest.raises(FileNotFoundError):
        Statevector.load(tmp_path / "missing.npy")


def test_what_is_no_circuit_is_refused(where) -> None:
    with pytest.raises(InputError, match=r"a qfast\.Circuit is needed, str given"):
        qfast.simulate("OPENQASM 3;", **where)


def test_a_forced_engine_that_is_absent_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(qfast.engines, "_loaded", {})
    monkeypatch.setattr(native, "missing_reason", "this is a pure build")
    with pytest.raises(EngineError, match="'native' was forced but is not available here: this is a pure build"):
        qfast.simulate(BELL, engine="native")


def test_unknown_engines_isas_and_precisions_are_refused() -> None:
    with pytest.raises(ConfigError, match="engine"):
        qfast.simulate(BELL, engine="fast")
    with pytest.raises(ConfigError, match="isa"):
        qfast.simulate(BELL, isa="sse9")
    with pytest.raises(ConfigError, match="precision"):
        qfast.simulate(BELL, precision="float64")
    with pytest.raises(ConfigError, match="threads"):
        qfast.simulate(BELL, threads=0)
    with pytest.raises(EngineError, match="'avx2' was forced together with engine 'reference'"):
        qfast.simulate(BELL, engine="reference", isa="avx2")


def test_too_many_qubits_are_refused_before_anything_is_allocated(monkeypatch, where) -> None:
    monkeypatch.setattr(memory, "memory_limits", lambda: MemoryLimits(1 << 31, 1 << 30))
    with pytest.raises(CapacityError, match=r"40 qubits.*needs.*\(1\.0 GiB\) are available.*has 26 qubits"):
        qfast.simulate(Circuit(40).h(0), **where)
    wide = Circuit(40)
    for qubit in range(40):
        wide.h(qubit)
    with pytest.raises(CapacityError, match="has 27 qubits"):
        qfast.sample(wide, 10, precision="complex64", **where)
    with pytest.raises(CapacityError, match=r"needs 2\*\*64 bytes"):
        qfast.compile(Circuit(60).h(0), **where).simulate()


def test_what_a_job_may_use_is_a_limit_too(where) -> None:
    with qfast.config.override(max_job_bytes=1 << 20), pytest.raises(CapacityError, match="max_job_bytes"):
        qfast.simulate(Circuit(18), **where)


def test_more_shots_than_memory_holds_are_refused_with_the_way_out(monkeypatch, where) -> None:
    state = qfast.simulate(BELL, **where)
    monkeypatch.setattr(memory, "memory_limits", lambda: MemoryLimits(1 << 31, 1 << 30))
    with pytest.raises(CapacityError, match='output="counts" takes less'):
        state.sample(10**10)
