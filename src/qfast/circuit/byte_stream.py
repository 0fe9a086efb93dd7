"""Bytes written and read piece by piece: little-endian numbers, texts, columns. The reader checks all lengths."""

from __future__ import annotations

import struct

import numpy as np

from qfast._typing import AnyArray
from qfast.errors import InputError

__all__ = ["ByteReader", "ByteWriter"]

_MAX_INTEGER_BYTES = 1 << 16


class ByteWriter:
    """Collects bytes."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def content(self) -> bytes:
        """Return what has been written."""
        return b"".join(self._parts)

    def raw(self, content: bytes) -> None:
        """Write bytes whose number the reader knows."""
        self._parts.append(content)

    def number(self, value: int, size: int = 4) -> None:
        """Write an unsigned number of `size` bytes."""
        self._parts.append(value.to_bytes(size, "little"))

    def real(self, value: float) -> None:
        """Write a double, bit for bit."""
        self._parts.append(struct.pack("<d", value))

    def integer(self, value: int) -> None:
        """Write an integer of any size."""
        size = value.bit_length() // 8 + 1
        self.number(size)
        self._parts.append(value.to_bytes(size, "little", signed=True))

    def text(self, value: str) -> None:
        """Write a string; lone surrogates are kept."""
        self.block(value.encode("utf-8", "surrogatepass"))

    def block(self, content: bytes) -> None:
        """Write bytes behind their number."""
        self.number(len(content), 8)
        self._parts.append(content)

    def column(self, values: AnyArray, dtype: str) -> None:
        """Write a column whose length the reader knows; `dtype` as ``"<i4"``."""
        self._parts.append(np.ascontiguousarray(values, dtype=dtype).tobytes())


class ByteReader:
    """Takes bytes apart.

    Parameters
    ----------
    content : bytes-like
    what : str
        What the bytes should be, for errors: "a circuit".

    Raises
    ------
    InputError
        From every method: the bytes end too early, or hold what cannot be.
    """

    __slots__ = ("_at", "_view", "_what")

    def __init__(self, content: bytes | bytearray | memoryview, what: str) -> None:
        try:
            self._view = memoryview(content).cast("B")
        except TypeError:
            raise InputError(f"{what} is read from bytes, {type(content).__name__} given") from None
        self._what = what
        self._at = 0

    def fail(self, why: str) -> InputError:
        """Return the error that says what is wrong and where; for the caller to raise."""
        return InputError(f"these bytes hold no {self._what.removeprefix('a ')}: {why} (byte {self._at})")

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return len(self._view) - self._at

    def raw(self, size: int) -> memoryview:
        """Read `size` bytes."""
        if not 0 <= size <= self.remaining:
            raise self.fail(f"{size} bytes are announced, {self.remaining} follow")
        found = self._view[self._at : self._at + size]
        self._at += size
        return found

    def number(self, size: int = 4, limit: int | None = None) -> int:
        """Read an unsigned number of `size` bytes, below `limit`."""
        value = int.from_bytes(self.raw(size), "little")
        if limit is not None and value >= limit:
            raise self.fail(f"{value} stands where a number below {limit} must")
        return value

    def count(self, each: int) -> int:
        """Read how many things of at least `each` bytes follow."""
        value = self.number(8)
        if value * each > self.remaining:
            raise self.fail(f"{value} entries are announced, {self.remaining} bytes follow")
        return value

    def real(self) -> float:
        """Read a double."""
        value: float = struct.unpack("<d", self.raw(8))[0]
        return value

    def integer(self) -> int:
        """Read an integer of any size, in its shortest form."""
        size = self.number()
        if not 1 <= size <= _MAX_INTEGER_BYTES:
            raise self.fail(f"an integer of {size} bytes is announced")
        value = int.from_bytes(self.raw(size), "little", signed=True)
        if value.bit_length() // 8 + 1 != size:
            raise self.fail("an integer is padded")
        return value

    def text(self) -> str:
        """Read a string."""
        content = bytes(self.raw(self.number(8)))
        try:
            return content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.fail("a text is not UTF-8") from None

    def column(self, count: int, dtype: str) -> AnyArray:
        """Read a column of `count` numbers: a read-only array over the bytes."""
        size = np.dtype(dtype).itemsize
        found = np.frombuffer(self.raw(count * size), dtype=dtype) if count else np.zeros(0, dtype=dtype)
        return found.astype(np.dtype(dtype).newbyteorder("="), copy=False)

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self.remaining:
            raise self.fail(f"{self.remaining} bytes are left over")
