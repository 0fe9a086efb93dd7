"""Jobs and the end of the process, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


def run_python(code: str, *, expected: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == expected, done.stderr
    assert done.stderr == ""
    return done.stdout


PRELUDE = """
    import threading
    from qfast.jobs import Requirements, Session, submit

    class Work:
        name = "work"
        def requirements(self, settings): return Requirements()
        def load(self, context): print("load", flush=True)
        def unload(self, context): print("unload", flush=True)
        def execute(self, context):
            begun.set()
            stop = threading.Event()
            context.cancellation.subscribe(stop.set)
            stop.wait()
            context.check_cancelled()

    begun = threading.Event()
"""


def test_at_exit_running_jobs_are_stopped_and_unloaded() -> None:
    out = run_python(
        PRELUDE
        + """
    session = Session()
    running, waiting = session.submit(Work()), session.submit(Work())
    running.add_done_callback(lambda job: print(job.status().value, flush=True))
    waiting.add_done_callback(lambda job: print("waiting", job.status().value, flush=True))
    begun.wait()
    """
    )
    assert out.splitlines() == ["load", "waiting cancelled", "unload", "cancelled"]


@pytest.mark.parametrize(
    ("ending", "code"), [("pass", 0), ("sys.exit(3)", 3), ("raise SystemExit", 0), ("1 / 0", 1)], ids=str
)
def test_an_engine_at_work_is_stopped_however_the_interpreter_ends(ending: str, code: int) -> None:
    out = run_python(
        f"""
    import sys, qfast
    sys.excepthook = lambda *_: None
    circuit = qfast.Circuit(20)
    for step in range(4000):
        circuit.ry(0.1 + step, step % 20).cx(step % 20, (step + 1) % 20)
    job = qfast.run(circuit)
    job.add_done_callback(lambda job: print(job.status().value, job.telemetry["bytes"], flush=True))
    while job.progress()[1] == 0:
        pass
    {ending}
    """,
        expected=code,
    )
    assert out == "cancelled 0\n"


def test_an_idle_job_layer_does_not_delay_the_exit() -> None:
    out = run_python(
        """
    import time, qfast
    job = qfast.run(qfast.Circuit(14).h(0), shots=10, options={"total_timeout_s": 3600})
    print(job.result().shots)
    """
    )
    assert out == "10\n"


def test_importing_qfast_does_not_import_the_job_layer() -> None:
    out = run_python(
        """
    import sys, qfast
    print([name for name in ("qfast.jobs", "qfast.pools", "qfast.devices", "asyncio") if name in sys.modules])
    """
    )
    assert out == "[]\n"
