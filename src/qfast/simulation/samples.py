"""What shots returned: packed bits, or only how often each outcome was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from qfast._html import bar, table
from qfast._typing import FloatArray, IntArray
from qfast.circuit import PauliSum
from qfast.circuit.checks import as_index, as_tuple
from qfast.engines.bits import Histogram, Rows, add_counts, row_bytes, select_bits, strings_of, words_of_rows
from qfast.errors import InputError, ObservableError
from qfast.simulation.provenance import Provenance

__all__ = ["BitRegister", "Counts", "Samples"]

_SHOWN = 32  # outcomes that a notebook shows


@dataclass(frozen=True, slots=True)
class BitRegister:
    """A named run of classical bits: ``first`` is its bit 0, counted over the whole circuit."""

    name: str
    first: int
    size: int


class Counts(dict[str, int]):
    """Counts by bitstring, bit 0 rightmost, in ascending order of the bitstring.

    Examples
    --------
    >>> counts = Counts({"00": 3, "11": 1})
    >>> counts.shots
    4
    >>> counts.probabilities()
    {'00': 0.75, '11': 0.25}
    >>> counts.most_common(1)
    [('00', 3)]
    """

    @property
    def shots(self) -> int:
        """The sum of all counts."""
        return sum(self.values())

    def probabilities(self) -> dict[str, float]:
        """Return each outcome's share of the shots."""
        shots = self.shots
        return {key: count / shots for key, count in self.items()}

    def most_common(self, number: int | None = None) -> list[tuple[str, int]]:
        """Return the `number` most frequent outcomes (all by default), ties in order of the bitstring."""
        ordered = sorted(self.items(), key=lambda item: (-item[1], item[0]))
        return ordered if number is None else ordered[:number]

    def _repr_html_(self) -> str:
        """The most frequent outcomes, in a notebook."""
        shots, shown = self.shots, self.most_common(_SHOWN)
        most = max((count for _, count in shown), default=1)
        rows = [(bits, f"{count:,}", f"{count / shots:.4f}", bar(count / most)) for bits, count in shown]
        note = f"and {len(self) - _SHOWN:,} other outcomes" if len(self) > _SHOWN else ""
        return table(f"{shots:,} shots", ("outcome", "count", "share", ""), rows, note)


class Samples:
    """The outcomes of shots.

    Parameters
    ----------
    registers : sequence of BitRegister
        In order of declaration; they cover the classical bits without a gap.
    rows : ndarray of uint8, shape (shots, ceil(num_bits / 8)), or None
        Packed outcomes in order of the shot index, bit b in bit ``b % 8`` of byte ``b // 8``.
    histogram : (ndarray of uint8 (k, ceil(num_bits / 8)), ndarray of int64 (k,)), or None
        Distinct outcomes, ascending, and their counts; computed from `rows` on demand when those are given.
    metadata : dict or Provenance
        Provenance: version, engine, isa, threads, seed, plan, times, peak bytes.

    Notes
    -----
    With ``output="counts"`` only the histogram exists, and whatever needs the order of the shots (`get_bitstrings`,
    `packed`, `to_bool_array`, `slice` by shots) is refused. Picklable. Memory: ``shots · ceil(num_bits / 8)`` bytes
    for rows.

    Examples
    --------
    >>> import numpy as np
    >>> samples = Samples([BitRegister("c", 0, 2)], rows=np.array([[0], [3], [3]], dtype=np.uint8))
    >>> samples.get_counts()
    {'00': 1, '11': 2}
    >>> samples.get_bitstrings()
    ['00', '11', '11']
    >>> samples.expectation_values("ZZ")
    1.0
    """

    __slots__ = ("_histogram", "_metadata", "_rows", "num_bits", "registers", "shots")

    def __init__(
        self,
        registers: Sequence[BitRegister],
        *,
        rows: Rows | None = None,
        histogram: tuple[Rows, IntArray] | None = None,
        metadata: Mapping[str, Any] | Provenance | None = None,
    ) -> None:
        self.registers = tuple(registers)
        self.num_bits = sum(register.size for register in self.registers)
        self._rows = rows
        self._histogram = histogram
        if rows is not None:
            self.shots = int(rows.shape[0])
        elif histogram is not None:
            self.shots = int(histogram[1].sum())
        else:
            raise InputError("Samples need rows or a histogram; neither was given")
        self._metadata = metadata if isinstance(metadata, Provenance) else dict(metadata or {})

    @property
    def metadata(self) -> dict[str, Any]:
        """Provenance: version, engine, isa, threads, precision, seed, plan, times (seconds), peak_bytes, shots."""
        if isinstance(self._metadata, Provenance):
            self._metadata = self._metadata.as_dict()
        return self._metadata

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`, which is still put together only when somebody looks."""
        if isinstance(self._metadata, Provenance):
            self._metadata.more.update(entries)
        else:
            self._metadata.update(entries)

    @property
    def seed(self) -> int | None:
        """The seed that these shots are a function of; None if they came from elsewhere."""
        return self.metadata.get("seed")

    # --- counts -------------------------------------------------------------------------------------------------------

    def get_counts(self, register: str | None = None) -> Counts:
        """Count the outcomes.

        Parameters
        ----------
        register : str, optional
            Count one classical register; by default all, joined without a gap, the last declared leftmost.

        Returns
        -------
        Counts
            Bitstring → count, bit 0 rightmost.
        """
        rows, counts, num_bits = self._distinct(register)
        found = Counts()
        add_counts(found, rows, counts, num_bits)
        return found

    def get_int_counts(self, register: str | None = None) -> dict[int, int]:
        """Count the outcomes by their integer, bit 0 the least significant; see `get_counts`."""
        rows, counts, _ = self._distinct(register)
        words = words_of_rows(rows)
        if words.shape[1] == 1:
            return dict(zip(words[:, 0].tolist(), counts.tolist(), strict=True))
        keys = [int.from_bytes(row.tobytes(), "little") for row in rows]
        return dict(zip(keys, counts.tolist(), strict=True))

    def _distinct(self, register: str | None) -> tuple[Rows, IntArray, int]:
        rows, counts = self.histogram()
        if register is None:
            return rows, counts, self.num_bits
        chosen = self._register(register)
        merged = Histogram(chosen.size)
        merged.add(select_bits(rows, range(chosen.first, chosen.first + chosen.size)), counts)
        return *merged.result(), chosen.size

    def histogram(self) -> tuple[Rows, IntArray]:
        """Return the distinct packed outcomes in ascending order, shape (k, row bytes), and their counts, (k,)."""
        if self._histogram is None:
            assert self._rows is not None
            collected = Histogram(self.num_bits)
            collected.add(self._rows)
            self._histogram = collected.result()
        return self._histogram

    # --- shot by shot -------------------------------------------------------------------------------------------------

    @property
    def has_bits(self) -> bool:
        """Whether the single shots were kept."""
        return self._rows is not None

    def packed(self, register: str | None = None) -> Rows:
        """Return the packed outcomes, uint8 of shape (shots, ceil(bits / 8)), little-endian; no copy for all bits."""
        rows = self._kept_rows("packed()")
        if register is None or len(self.registers) == 1:
            if register is not None:
                self._register(register)
            return rows
        chosen = self._register(register)
        return select_bits(rows, range(chosen.first, chosen.first + chosen.size))

    def to_bool_array(self, register: str | None = None) -> NDArray[np.bool_]:
        """Return one bit per element, shape (shots, bits); column b is bit b."""
        num_bits = self.num_bits if register is None else self._register(register).size
        return np.unpackbits(self.packed(register), axis=1, count=num_bits, bitorder="little").view(np.bool_)

    def get_bitstrings(self, register: str | None = None) -> list[str]:
        """Return the outcome of every shot in order, bit 0 rightmost."""
        num_bits = self.num_bits if register is None else self._register(register).size
        return strings_of(self.packed(register), num_bits)

    def slice(self, shots: slice | None = None, bits: Sequence[int] | None = None) -> Samples:
        """Return a part of the outcomes.

        Parameters
        ----------
        shots : slice, optional
            Which shots to keep, for example ``slice(0, 100)``; all by default.
        bits : sequence of int, optional
            Which classical bits to keep; they become bits 0, 1, … of one register ``"bits"``. All by default.

        Returns
        -------
        Samples
            With the same metadata.
        """
        if shots is None and self._rows is None:
            rows, counts = self.histogram()
            return self._with_bits(rows, counts, bits)
        rows = self._kept_rows("slice(shots=…)")
        return self._with_bits(rows if shots is None else rows[shots], None, bits)

    def _with_bits(self, rows: Rows, counts: IntArray | None, bits: Sequence[int] | None) -> Samples:
        registers: Sequence[BitRegister] = self.registers
        if bits is not None:
            bits = as_tuple(bits)
            for bit in bits:
                self._check_bit(bit)
            registers = [BitRegister("bits", 0, len(bits))]
            rows = select_bits(rows, bits)
        if counts is None:
            return Samples(registers, rows=rows, metadata=self._metadata)
        merged = Histogram(sum(register.size for register in registers))
        merged.add(rows, counts)
        return Samples(registers, histogram=merged.result(), metadata=self._metadata)

    @staticmethod
    def concatenate(parts: Sequence[Samples]) -> Samples:
        """Join outcomes of the same registers, in order; bits are kept when every part has them."""
        if not parts:
            raise InputError("concatenate needs at least one Samples")
        registers = parts[0].registers
        for part in parts:
            if part.registers != registers:
                raise InputError(f"cannot join outcomes of registers {part.registers} and {registers}")
        if all(part.has_bits for part in parts):
            rows = np.concatenate([part.packed() for part in parts])
            return Samples(registers, rows=rows, metadata=parts[0]._metadata)
        merged = Histogram(parts[0].num_bits)
        for part in parts:
            merged.add(*part.histogram())
        return Samples(registers, histogram=merged.result(), metadata=parts[0]._metadata)

    # --- expectation values -------------------------------------------------------------------------------------------

    @overload
    def expectation_values(self, observables: str | PauliSum) -> float: ...
    @overload
    def expectation_values(self, observables: list[str | PauliSum]) -> FloatArray: ...

    def expectation_values(self, observables: str | PauliSum | list[str | PauliSum]) -> float | FloatArray:
        """Return sample means of diagonal observables on the classical bits.

        Parameters
        ----------
        observables : str, PauliSum, or a list of them
            A string holds one letter I or Z per classical bit, bit 0 rightmost. The terms of a Pauli sum may hold Z
            only, and its "qubits" are classical bits.

        Returns
        -------
        float, or ndarray of float64, shape (len(observables),)

        Raises
        ------
        ObservableError
            A letter other than I and Z, or a bit that is not there.
        """
        if isinstance(observables, (list, tuple)):
            return np.array([self._expectation(observable) for observable in observables])
        return self._expectation(observables)

    def _expectation(self, observable: str | PauliSum) -> float:
        total = 0.0
        for bits, coefficient in _diagonal_terms(observable, self.num_bits):
            total += coefficient * self._parity_mean(bits)
        return total

    def _parity_mean(self, bits: Sequence[int]) -> float:
        rows, counts = self.histogram()
        mask = np.zeros(row_bytes(self.num_bits), dtype=np.uint8)
        for bit in bits:
            self._check_bit(bit)
            mask[bit >> 3] |= np.uint8(1 << (bit & 7))
        odd = np.bitwise_xor.reduce(_PARITY[rows & mask], axis=1).astype(np.int64)
        return float(self.shots - 2 * int(odd @ counts)) / self.shots

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _kept_rows(self, what: str) -> Rows:
        if self._rows is None:
            raise InputError(f'{what} needs the single shots, but only counts were kept; sample with output="bits"')
        return self._rows

    def _register(self, name: str) -> BitRegister:
        for register in self.registers:
            if register.name == name:
                return register
        known = ", ".join(repr(register.name) for register in self.registers)
        raise InputError(f"no classical register {name!r}; there are {known or 'none'}")

    def _check_bit(self, bit: int) -> None:
        if as_index(bit) is None or not 0 <= bit < self.num_bits:
            raise InputError(
                f"classical bit {bit!r} is out of range; there are {self.num_bits} (0…{self.num_bits - 1})"
            )

    def __len__(self) -> int:
        return self.shots

    def __eq__(self, other: object) -> bool:
        """Whether registers and outcomes agree, shot by shot where both kept them."""
        if not isinstance(other, Samples):
            return NotImplemented
        if self.registers != other.registers or self.shots != other.shots:
            return False
        if self._rows is not None and other._rows is not None:
            return np.array_equal(self._rows, other._rows)
        mine, theirs = self.histogram(), other.histogram()
        return np.array_equal(mine[0], theirs[0]) and np.array_equal(mine[1], theirs[1])

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        return {"registers": self.registers, "rows": self._rows, "histogram": self._histogram, "meta": self.metadata}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Samples.__init__(
            self, state["registers"], rows=state["rows"], histogram=state["histogram"], metadata=state["meta"]
        )

    def __repr__(self) -> str:
        registers = ", ".join(f"{register.name}[{register.size}]" for register in self.registers)
        kept = "bits" if self.has_bits else "counts"
        return f"<Samples: {self.shots} shots of {registers or 'no bits'}, {kept}, seed {self.seed}>"

    def _repr_html_(self) -> str:
        return self.get_counts()._repr_html_()


_PARITY: NDArray[np.uint8] = np.array([value.bit_count() & 1 for value in range(256)], dtype=np.uint8)


def _diagonal_terms(observable: str | PauliSum, num_bits: int) -> Iterable[tuple[list[int], float]]:
    """Yield (bits, coefficient) of every term."""
    if isinstance(observable, str):
        if len(observable) != num_bits or set(observable) - {"I", "Z"}:
            raise ObservableError(
                f"observable {observable!r} must hold one letter I or Z for each of the {num_bits} classical bits"
            )
        yield [num_bits - 1 - place for place, letter in enumerate(observable) if letter == "Z"], 1.0
        return
    if not isinstance(observable, PauliSum):
        raise ObservableError(
            f"a sample mean is that of a string of I and Z, a PauliSum or a list of them, {observable!r} given"
        )
    for letters, bits, coefficient in observable:
        if set(letters) - {"I", "Z"}:
            raise ObservableError(
                f"term {letters!r} is not diagonal; measured bits give means of I and Z only: "
                "rotate the basis before measuring"
            )
        value = complex(coefficient)
        if value.imag:
            raise ObservableError(f"term {letters!r} has the complex coefficient {value}; a sample mean is real")
        yield [bit for letter, bit in zip(letters, bits, strict=True) if letter == "Z"], value.real
