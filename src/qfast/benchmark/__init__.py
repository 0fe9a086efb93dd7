"""Benchmarks that ship with qfast: circuit families, the machine's limits, and ``qfast bench``.

Not imported by ``import qfast``.
"""
