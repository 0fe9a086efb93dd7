"""``python -m qfast``: the command line."""

from qfast.cli import entry_point

entry_point()
