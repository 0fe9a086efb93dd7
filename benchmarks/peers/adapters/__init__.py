"""One module per simulator, loaded only in that simulator's own worker process.

A module has two functions:

``versions() -> dict[str, str]``
    Names and versions of what it runs on.
``prepare(spec, precision, threads, options) -> Prepared``
    Builds the circuit of a job in the simulator's own words. ``spec["kind"]`` is ``state`` or one of the tasks of
    ``benchmarks.peers.tasks``; ``options`` come from the setting that is measured (``benchmarks.peers.catalog``).

Qubit 0 is the least significant bit of an index, and a matrix's first qubit its least significant bit; each module
turns that into its simulator's order.
"""
