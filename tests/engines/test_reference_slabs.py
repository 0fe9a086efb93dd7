"""The reference engine does gates on large states in parts, and hears a token between them."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast.engines import reference
from qfast.engines.reference import ReferenceEngine
from qfast.errors import CancelledRunError
from tests import oracle


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch):
    monkeypatch.setattr(reference, "_SLAB_QUBITS", 3)


def test_gates_in_parts_make_the_oracles_state() -> None:
    rng = np.random.default_rng(5)
    circuit = qfast.Circuit(6).h(0).ry(0.3, 5).cx(0, 4).rzz(0.7, 1, 5).ccx(5, 0, 2).swap(2, 4).cp(0.4, 3, 0)
    circuit.pauli_rotation("XYZ", [4, 1, 5], 0.9).append("h", [1], controls=[5, 3], ctrl_state=1)
    circuit.permutation(rng.permutation(8).tolist(), [5, 0, 3]).diagonal(np.exp(1j * rng.normal(size=4)), [2, 5])
    circuit.unitary(np.linalg.qr(rng.normal(size=(16, 16)))[0], [5, 1, 0, 3])
    state = qfast.simulate(circuit, engine="reference").amplitudes
    np.testing.assert_allclose(state, oracle.statevector(circuit), atol=1e-13)


def test_a_token_is_heard_within_a_gate() -> None:
    class Token(qfast.CancelToken):
        """Cancelled when it has been asked three times."""

        asked = 0

        def raise_if_cancelled(self, what: str) -> None:
            self.asked += 1
            if self.asked == 3:
                self.cancel()
            super().raise_if_cancelled(what)

    token = Token()
    state = np.zeros(64, dtype=np.complex128)
    prepared = ReferenceEngine().prepare(qfast.Circuit(6).h(0), precision="complex128")
    with pytest.raises(CancelledRunError):
        prepared.run(state, np.zeros(0), from_zero=True, threads=1, cancel=token)
    assert token.asked == 3
