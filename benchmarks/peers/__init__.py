"""Comparison with other simulators: same circuits, same machine, same run, interleaved."""
