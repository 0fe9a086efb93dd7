"""Groups of terms that are measured together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qfast import PauliSum
from qfast.circuit.commuting import commuting_groups, odd_parity, qubit_wise_groups
from qfast.errors import ObservableError, ShotPlanError
from qfast.estimation import group_settings


def random_masks(num_qubits: int, number: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, 2**num_qubits, number, dtype=np.uint64) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("groups_of", [qubit_wise_groups, commuting_groups])
@pytest.mark.parametrize(("num_qubits", "number"), [(2, 16), (6, 150), (20, 200), (64, 130)])
def test_every_string_goes_to_the_first_group_that_it_fits(groups_of: Any, num_qubits: int, number: int) -> None:
    x, z = random_masks(num_qubits, number, 1) if num_qubits < 64 else random_masks(63, number, 2)

    def agree(a: int, b: int) -> bool:
        if groups_of is commuting_groups:
            return not int(odd_parity((x[a : a + 1] & z[b]) ^ (z[a : a + 1] & x[b]))[0])
        common = int((x[a] | z[a]) & (x[b] | z[b]))
        return not (int(x[a] ^ x[b]) | int(z[a] ^ z[b])) & common

    found = groups_of(x, z)
    for term, group in enumerate(found):
        fitting = [
            g for g in range(max(found) + 1) if all(agree(term, other) for other in range(term) if found[other] == g)
        ]
        assert group == fitting[0]


def test_thousands_of_random_terms_are_grouped_without_comparing_them_one_by_one() -> None:
    """5000 terms took a minute by a walk over groups in Python; the number of numpy calls is what is kept small."""
    rng = np.random.default_rng(0)
    letters = rng.choice(list("IXYZ"), (5000, 20))
    observable = PauliSum(
        [("".join(row), range(20), float(c)) for row, c in zip(letters, rng.normal(size=5000), strict=True)]
    )
    for grouping in ("qubit_wise", "general"):
        settings, _ = group_settings(observable, grouping)  # type: ignore[arg-type]
        assert sorted(t for s in settings for t in s.terms.tolist()) == list(range(5000))
        assert len(settings) == {"qubit_wise": 4609, "general": 488}[grouping]


def test_like_terms_are_measured_as_one() -> None:
    (setting,), constant = group_settings(
        PauliSum([("Z", [0]), ("Z", [0], 0.5), ("", [], 2.0), ("", [], 1)]), "general"
    )
    assert (setting.coefficients.tolist(), constant) == ([1.5], 3.0)
    assert group_settings(PauliSum([("Z", [0]), ("Z", [0], -1.0)]), "qubit_wise") == ([], 0.0)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ObservableError, match="not Hermitian"):
        group_settings(PauliSum([("Z", [0], 1j)]), "qubit_wise")
    with pytest.raises(ShotPlanError, match="grouping 'all' is unknown"):
        group_settings(PauliSum([("Z", [0])]), "all")  # type: ignore[arg-type]
