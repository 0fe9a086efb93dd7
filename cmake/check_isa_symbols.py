"""Check that the object files of the per-ISA kernels leak no weak symbols.

The linker keeps one copy of a weak symbol (an inline function, a template instance) out of all object files. If
that copy comes from ``isa_avx512``, code that every machine runs holds AVX-512 instructions and dies with an illegal
instruction on a processor without them. A weak symbol is harmless only if it lives in the namespace of its own ISA,
because then no other object file can share it.

Usage: check_isa_symbols.py [--nm NM] OBJECT...     (exit code 0: clean, 1: leaks, 2: usage)
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ISA_OF_FILE = re.compile(r"isa_([a-z0-9]+)")
WEAK_KINDS = frozenset("WVu")  # weak function, weak object, unique global; small letters are undefined references
COMPILER_OWNED = re.compile(r"^(DW\.ref\.|__clang_call_terminate|__x86\.get_pc_thunk)")


def weak_symbols(nm: str, object_file: Path) -> list[str]:
    """Mangled names of the weak symbols that ``object_file`` defines."""
    listing = subprocess.run(
        [nm, "--defined-only", "--format=posix", str(object_file)], check=True, capture_output=True, text=True
    ).stdout
    columns = (line.split() for line in listing.splitlines())
    return [fields[0] for fields in columns if len(fields) >= 2 and fields[1] in WEAK_KINDS]


def leaks(nm: str, object_file: Path) -> list[str]:
    """Weak symbols of ``object_file`` that another object file could define too."""
    match = ISA_OF_FILE.search(object_file.name)
    if match is None:
        sys.exit(f"{object_file}: its name holds no 'isa_<name>', so its namespace is not known")
    # In a mangled name a namespace stands as its length and its text: isa_avx2 is 8isa_avx2.
    namespace = f"{len(match[0])}{match[0]}"
    return [name for name in weak_symbols(nm, object_file) if namespace not in name and not COMPILER_OWNED.match(name)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that ISA object files leak no weak symbols.")
    parser.add_argument("--nm", default="nm", help="nm of the tool chain that made the files")
    parser.add_argument("objects", nargs="+", type=Path)
    arguments = parser.parse_args()
    found = {path: leaks(arguments.nm, path) for path in arguments.objects}
    for path, names in found.items():
        for name in names:
            print(f"{path.name}: weak symbol {name} is shared with other object files")
    if any(found.values()):
        print("Put them in the namespace of the ISA or make them static; c++filt makes the names readable.")
        return 1
    print(f"{len(found)} ISA object files, no shared weak symbols")
    return 0


if __name__ == "__main__":
    sys.exit(main())
