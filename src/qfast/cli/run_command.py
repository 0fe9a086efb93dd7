"""``qfast run FILE…``: simulate OpenQASM files and print counts, probabilities or amplitudes."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import qfast
from qfast import Circuit, Statevector, config
from qfast.cli.files import STANDARD_INPUT, check_writable, read_circuit, replacing
from qfast.cli.progress import ProgressLine, run_watched
from qfast.cli.report import Outcome, Output, Report, largest, peak_bytes, spread_bits
from qfast.cli.values import parse_parameters
from qfast.engines import AMPLITUDE_BYTES, CancelToken
from qfast.errors import InputError, QfastError

__all__ = ["add_parser", "run"]

TOP_OF_A_TABLE = 16
MAX_JSON_OUTCOMES = 1 << 20
PLOT_SUFFIXES = (".pdf", ".png", ".svg")


@dataclass(frozen=True, slots=True)
class Options:
    """What to do with every file; None leaves the choice to the settings."""

    output: Output
    shots: int
    seed: int | None
    precision: str | None
    engine: str | None
    threads: int | None
    parameters: dict[str, float]
    top: int
    plot: Path | None
    save: Path | None

    def engine_options(self) -> dict[str, Any]:
        """Keyword arguments of `qfast.sample` and `qfast.simulate` that the user gave."""
        given = {"precision": self.precision, "engine": self.engine, "threads": self.threads}
        return {name: value for name, value in given.items() if value is not None}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("run", help="simulate OpenQASM files", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OpenQASM 2 or 3; - is standard input")
    parser.add_argument("--shots", type=int, metavar="N", help="default: the setting default_shots")
    parser.add_argument("--seed", type=int, metavar="N", help="makes the counts repeatable; default: fresh, and shown")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="such as theta=pi/2")
    parser.add_argument("--precision", choices=tuple(AMPLITUDE_BYTES), help="type of the amplitudes")
    parser.add_argument(
        "--engine", choices=("auto", "native", "numba", "reference"), help="a forced one never falls back"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: every CPU that this process may use")
    parser.add_argument(
        "--output",
        choices=("counts", "probabilities", "state", "json"),
        default="counts",
        help="what to print; json is counts with --json",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument(
        "--top", type=int, metavar="N", help=f"list the N largest (default {TOP_OF_A_TABLE}; JSON: all)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a bar chart (.png, .svg or .pdf)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the state (.npy or .npz); with --output state")
    parser.add_argument("--progress", action="store_true", help="show progress even if standard error is no terminal")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code.

    A file that fails does not stop the others; the exit code is then 1.
    """
    as_json = arguments.json or arguments.output == "json"
    options = _options(arguments, as_json)
    results: list[dict[str, Any]] = []
    failed = False
    for position, file in enumerate(arguments.files):
        try:
            report = _run_file(file, options, _progress_line(file, arguments.progress))
        except (QfastError, OSError) as error:
            failed = True
            print(f"qfast: {_with_file(file, error)}", file=sys.stderr)
            results.append({"file": str(file), "error": {"type": type(error).__name__, "message": str(error)}})
            continue
        if as_json:
            results.append(report.as_json())
        else:
            print(*([""] if position else []), *report.lines(unicode=_shows_blocks()), sep="\n", flush=True)
    if as_json:
        print(json.dumps({"version": qfast.__version__, "results": results}, indent=1))
    return 1 if failed else 0


def _options(arguments: argparse.Namespace, as_json: bool) -> Options:
    """Check the arguments against each other, before anything runs."""
    output: Output = "counts" if arguments.output == "json" else arguments.output
    top = arguments.top if arguments.top is not None else MAX_JSON_OUTCOMES if as_json else TOP_OF_A_TABLE
    if top < 1:
        raise InputError(f"--top {top}: at least 1 outcome must be listed")
    for option, path, suffixes in (
        ("--plot", arguments.plot, PLOT_SUFFIXES),
        ("--save", arguments.save, (".npy", ".npz")),
    ):
        if path is None:
            continue
        if len(arguments.files) > 1:
            raise InputError(f"{option} {path}: {len(arguments.files)} input files were given; run them one by one")
        if path.suffix.lower() not in suffixes:
            raise InputError(f"{option} {path}: the suffix names the format and may be {', '.join(suffixes)}")
        check_writable(path, option)
    if arguments.save is not None and output != "state":
        raise InputError(f"--save {arguments.save}: it writes the state; add --output state")
    if arguments.plot is not None:
        _check_can_plot(output)
    return Options(
        output=output,
        shots=arguments.shots if arguments.shots is not None else config.get("default_shots"),
        seed=arguments.seed,
        precision=arguments.precision,
        engine=arguments.engine,
        threads=arguments.threads,
        parameters=parse_parameters(arguments.param),
        top=top,
        plot=arguments.plot,
        save=arguments.save,
    )


def _check_can_plot(output: Output) -> None:
    if output == "state":
        raise InputError("--plot draws counts or probabilities; for amplitudes add --output probabilities")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib, which is not installed; pip install 'qfast-sim[plot]'")


def _progress_line(file: Path, forced: bool) -> ProgressLine | None:
    terminal = sys.stderr.isatty()
    wanted = config.get("progress")
    if not forced and (wanted == "off" or (wanted == "auto" and not terminal)):
        return None
    return ProgressLine(sys.stderr, file.name, terminal=terminal)


def _shows_blocks() -> bool:
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf")


def _with_file(file: Path, error: Exception) -> str:
    """The message, with the file's name in front unless it is there already."""
    name, text = "standard input" if file == STANDARD_INPUT else str(file), str(error)
    return text if name in text else f"{name}: {text}"


def _run_file(file: Path, options: Options, line: ProgressLine | None) -> Report:
    token = CancelToken()
    report, values = run_watched(lambda: _simulate(file, options, token), token, line)
    if options.plot is not None:
        from qfast import plotting  # an optional extra

        draw = plotting.plot_counts if options.output == "counts" else plotting.plot_probabilities
        with replacing(options.plot) as temporary:
            draw(values, title=file.name).savefig(temporary)
    return report


def _simulate(file: Path, options: Options, token: CancelToken) -> tuple[Report, Mapping[str, Any]]:
    """Read, run and read off; in a thread of its own. Returns the report and what a plot shows."""
    begun = time.perf_counter()
    circuit = read_circuit(file)
    read_s = time.perf_counter() - begun
    if options.output == "counts":
        samples = qfast.sample(
            circuit,
            shots=options.shots,
            seed=options.seed,
            parameters=options.parameters,
            output="counts",
            cancel=token,
            **options.engine_options(),
        )
        counts = samples.get_counts()
        outcomes = [Outcome(bits, count, count / samples.shots) for bits, count in counts.most_common(options.top)]
        num_outcomes = len(counts)
        registers = tuple((register.name, register.size) for register in samples.registers)
        metadata = samples.metadata
        values: Mapping[str, Any] = counts
    else:
        state = qfast.simulate(
            circuit,
            parameters=options.parameters,
            seed=options.seed,
            cancel=token,
            **options.engine_options(),
        )
        metadata = state.metadata
        if options.output == "state":
            registers = tuple((register.name, register.size) for register in circuit.qubit_registers)
            outcomes, num_outcomes = largest(state.amplitudes, state.num_qubits, options.top)
        else:
            registers, outcomes, num_outcomes = _probabilities(circuit, state, options, token)
        values = {outcome.bits: outcome.value for outcome in outcomes}
        if options.save is not None:
            with replacing(options.save) as temporary:
                state.save(temporary)
    report = Report(
        file=str(file),
        output=options.output,
        num_qubits=circuit.num_qubits,
        num_instructions=len(circuit),
        registers=registers,
        outcomes=outcomes,
        num_outcomes=num_outcomes,
        shots=options.shots if options.output == "counts" else None,
        metadata=metadata,
        total_s=time.perf_counter() - begun,
        parts_s={"read": read_s, **{name.removesuffix("_s"): value for name, value in metadata["times"].items()}},
        state_bytes=AMPLITUDE_BYTES[metadata["precision"]] << circuit.num_qubits,
        peak_bytes=peak_bytes(),
    )
    return report, values


def _probabilities(
    circuit: Circuit, state: Statevector, options: Options, token: CancelToken
) -> tuple[tuple[tuple[str, int], ...], list[Outcome], int]:
    """The distribution over the classical bits of a circuit that measures, else over its qubits."""
    registers = tuple((register.name, register.size) for register in circuit.classical_registers)
    if "classical_bits" in state.metadata:  # it measures in the middle: the state is that of one shot only
        exact = qfast.distribution(circuit, parameters=options.parameters, cancel=token, **options.engine_options())
        ordered = sorted(exact.items(), key=lambda item: (-item[1], item[0]))
        return registers, [Outcome(bits, value, value) for bits, value in ordered[: options.top]], len(exact)
    source = {row.clbit: row.qubits[0] for row in circuit if row.clbit is not None}  # of each bit, the last one
    if not source:
        outcomes, num_outcomes = largest(state.probabilities(), circuit.num_qubits, options.top)
        return tuple((register.name, register.size) for register in circuit.qubit_registers), outcomes, num_outcomes
    qubits = sorted(set(source.values()))
    found, num_outcomes = largest(state.probabilities(qubits), len(qubits), options.top)
    place = {bit: qubits.index(qubit) for bit, qubit in source.items()}
    return (
        registers,
        [replace(outcome, bits=spread_bits(outcome.bits, place, circuit.num_clbits)) for outcome in found],
        num_outcomes,
    )
