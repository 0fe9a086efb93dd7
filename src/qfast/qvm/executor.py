"""Running graphs: an executor that returns results at once, and a client that goes by job ids."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from qfast.config.suggestions import nearest
from qfast.devices import Device
from qfast.errors import InputError, JobError, LifecycleError, QfastError
from qfast.jobs import Job, JobStatus, Runtime, submit
from qfast.noise import NoiseModel
from qfast.qvm.faults import ALREADY_COMPLETED, JOB_NOT_FOUND
from qfast.qvm.graph import Graph
from qfast.qvm.operations import CAPABILITIES, DEFAULT_CAPABILITIES
from qfast.qvm.reading import from_dict
from qfast.qvm.resources import Quota, ResourceManager
from qfast.qvm.work import GraphResult, GraphWork, mark_error

__all__ = ["Client", "Executor"]


class Executor:
    """Runs graphs as jobs of a device, each with its LOAD, EXECUTE and UNLOAD.

    Parameters
    ----------
    device : str or Device, optional
        Default: the default device. Its noise acts.
    tenant : str
        Whose quota, share of the device and ledger the graphs use.
    capabilities : iterable of str
        What graphs may do here; see `qfast.qvm.CAPABILITIES`. Default: allocate, compute, measure.
    quota : Quota, optional
    options : dict, optional
        Settings of the jobs, by name.
    runtime : Runtime, optional

    Attributes
    ----------
    resource_manager : ResourceManager

    Notes
    -----
    Thread-safe. The log of a result is a tuple of tuples: ``("CERTIFIED", "static_verification_passed")``, ``("LOAD",
    "graph_loaded_and_verified")``, ``("EXECUTE", "node_<id>_completed")`` of each node in the order of the run, or
    ``("SKIP", id, "guard_failed")``; ``("EXECUTE", "node_<id>_measured_out")`` where a qubit was freed that the graph
    had not brought to a basis state; ``("CHANNEL", id, "fidelity_applied" or "fidelity_recorded")``; ``("ERROR",
    message)``; ``("UNLOAD", "freed_<n>_qubits")``, ``("UNLOAD", "resources_released")``.

    Examples
    --------
    >>> from qfast import qvm
    >>> builder = qvm.GraphBuilder()
    >>> with builder.allocate(2) as (a, b):
    ...     builder.h(a)
    ...     builder.cx(a, b)
    ...     first, second = builder.measure(a), builder.measure(b)
    >>> result = qvm.Executor().execute(builder.graph(), shots=100, seed=7)
    >>> result["status"], sorted(result["counts"]), result["telemetry"]["logical_qubits"]
    ('COMPLETED', ['00', '11'], 0)
    """

    def __init__(
        self,
        device: str | Device | None = None,
        *,
        tenant: str = "local",
        capabilities: Iterable[str] = DEFAULT_CAPABILITIES,
        quota: Quota | None = None,
        options: Mapping[str, Any] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.device = device
        self.tenant = tenant
        self.capabilities = _checked_capabilities(capabilities)
        self.quota = quota or Quota()
        self.resource_manager = ResourceManager(tenant, self.quota)
        self._options = dict(options or {})
        self._runtime = runtime

    def submit(
        self,
        graph: Graph | Mapping[str, Any],
        *,
        shots: int | None = None,
        seed: int | None = None,
        noise: NoiseModel | None = None,
        tags: Iterable[str] = (),
    ) -> Job:
        """Submit a graph; the job's result is a `GraphResult`.

        Parameters
        ----------
        graph : Graph or mapping
            A mapping as JSON has it.
        shots, seed : int, optional
            Default: what the graph's SET_POLICY says; else 1 shot, and fresh entropy.
        noise : NoiseModel, optional
            Default: the device's.
        tags : iterable of str

        Raises
        ------
        VerificationError
            The graph has faults, all of which are told; nothing was allocated, and no job was made.
        """
        return self._submit(graph, shots, seed, noise, tags)[0]

    def _submit(
        self,
        graph: Graph | Mapping[str, Any],
        shots: int | None,
        seed: int | None,
        noise: NoiseModel | None,
        tags: Iterable[str] = (),
    ) -> tuple[Job, GraphWork]:
        if shots is not None and (isinstance(shots, bool) or not hasattr(shots, "__index__") or shots < 1):
            raise InputError(f"shots {shots!r} is not valid; allowed: whole numbers from 1")
        work = GraphWork(
            from_dict(graph), shots=shots, noise=noise, capabilities=self.capabilities, quota=self.quota,
            tenant=self.tenant, ledger=self.resource_manager.ledger,
        )  # fmt: skip
        policy, options = work.policy, dict(self._options)
        for name, setting in (("timeout_s", "run_timeout_s"), ("deadline_s", "total_timeout_s")):
            if name in policy:
                limit = options.get(setting)
                options[setting] = policy[name] if limit is None else min(limit, policy[name])
        job = submit(
            work,
            device=self.device,
            tenant=self.tenant,
            priority=policy.get("priority", 0),
            seed=policy.get("seed") if seed is None else seed,
            tags=tags,
            options=options,
            runtime=self._runtime,
        )
        return job, work

    def execute(
        self,
        graph: Graph | Mapping[str, Any],
        *,
        shots: int | None = None,
        seed: int | None = None,
        noise: NoiseModel | None = None,
    ) -> GraphResult:
        """Run a graph and return its result; parameters as for `submit`.

        Raises
        ------
        VerificationError
            The graph has faults. Like every exception of a graph it carries ``execution_log``, ``telemetry`` (all
            zero) and ``code``.
        CapacityError
            A quota, or memory.
        JobError
            The job was cancelled, or ran out of its time.
        """
        job, work = self._submit(graph, shots, seed, noise)
        try:
            result: GraphResult = job.result()
        except QfastError as error:
            mark_error(error, work)
            raise
        return result


def _checked_capabilities(capabilities: Iterable[str]) -> frozenset[str]:
    found = frozenset([capabilities] if isinstance(capabilities, str) else capabilities)
    for name in found:
        if name not in CAPABILITIES:
            hint = nearest(str(name), CAPABILITIES)
            raise InputError(f"capability {name!r} is not known{hint}; allowed: {', '.join(CAPABILITIES)}")
    return found


class Client:
    """Submits graphs and finds them again by id, as the clients of a server do.

    Parameters
    ----------
    executor : Executor, optional

    Examples
    --------
    >>> from qfast import qvm
    >>> builder = qvm.GraphBuilder()
    >>> with builder.allocate() as (q,):
    ...     builder.x(q)
    ...     outcome = builder.measure(q)
    >>> client = qvm.Client()
    >>> job_id = client.submit_job(builder.graph())
    >>> client.wait_for_job(job_id)["events"][outcome]
    1
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor or Executor()
        self._jobs: dict[str, tuple[Job, GraphWork]] = {}
        self._lock = threading.Lock()

    def submit_job(
        self,
        graph: Graph | Mapping[str, Any],
        *,
        shots: int | None = None,
        seed: int | None = None,
        noise: NoiseModel | None = None,
    ) -> str:
        """Submit a graph; return the job's id. Parameters and errors as for `Executor.submit`."""
        job, work = self._executor._submit(graph, shots, seed, noise)
        with self._lock:
            self._jobs[job.id] = job, work
        return job.id

    def wait_for_job(self, job_id: str, timeout: float | None = None) -> GraphResult:
        """Return a job's result, once it is done.

        Parameters
        ----------
        job_id : str
        timeout : float, optional
            Seconds to wait; the job goes on afterwards.

        Raises
        ------
        LifecycleError
            There is no such job of this client; ``code`` -32300.
        TimeoutError
            It is not done yet.
        QfastError
            The job's own.
        """
        job, work = self._find(job_id)
        try:
            result: GraphResult = job.result(timeout)
        except QfastError as error:
            mark_error(error, work)
            raise
        return result

    def status(self, job_id: str) -> JobStatus:
        """Return where a job is; errors as for `wait_for_job`."""
        return self._find(job_id)[0].status()

    def result(self, job_id: str) -> GraphResult:
        """Return the result of a job that is done.

        Raises
        ------
        LifecycleError
            There is no such job, or it is not done.
        """
        job, _ = self._find(job_id)
        if not job.done():
            raise LifecycleError(f"job {job_id} is {job.status().value}; wait_for_job waits for it")
        return self.wait_for_job(job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job, also while it runs.

        Raises
        ------
        JobError
            It is done already; ``code`` -32303.
        """
        job, _ = self._find(job_id)
        if not job.cancel(interrupt=True) and job.done() and not job.cancelled():
            error = JobError(f"job {job_id} is {job.status().value} already and cannot be cancelled")
            error.code = ALREADY_COMPLETED  # type: ignore[attr-defined]
            raise error

    def _find(self, job_id: str) -> tuple[Job, GraphWork]:
        found = self._jobs.get(job_id)
        if found is None:
            error = LifecycleError(f"there is no job {job_id!r:.80} of this client; submit_job returns the ids")
            error.code = JOB_NOT_FOUND  # type: ignore[attr-defined]
            raise error
        return found
