"""The job layer: jobs, sessions, batches, primitives."""

from __future__ import annotations

from qfast.jobs.batch import Batch
from qfast.jobs.job import CancelledJobError, Job, JobMetrics, JobStatus
from qfast.jobs.job_group import GroupMetrics, JobGroup, get_session
from qfast.jobs.primitives import Estimator, Sampler
from qfast.jobs.results import EstimatorPubResult, PrimitiveResult, SamplerPubResult
from qfast.jobs.runtime import Runtime, default_runtime, run, submit
from qfast.jobs.session import Session
from qfast.jobs.work import Requirements, Work

__all__ = [
    "Batch",
    "CancelledJobError",
    "Estimator",
    "EstimatorPubResult",
    "GroupMetrics",
    "Job",
    "JobGroup",
    "JobMetrics",
    "JobStatus",
    "PrimitiveResult",
    "Requirements",
    "Runtime",
    "Sampler",
    "SamplerPubResult",
    "Session",
    "Work",
    "default_runtime",
    "get_session",
    "run",
    "submit",
]
