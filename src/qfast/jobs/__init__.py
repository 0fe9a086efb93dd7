"""The job layer: jobs, sessions, batches, primitives."""

from __future__ import annotations

from qfast.jobs.batch import Batch
from qfast.jobs.job import CancelledJobError, Job, JobMetrics, JobStatus
from qfast.jobs.job_group import GroupMetrics, JobGroup, get_session
from qfast.jobs.primitives import Estimator, Sampler
from qfast.jobs.result_files import load_result, save_result
from qfast.jobs.results import EstimatorPubResult, PrimitiveResult, SamplerPubResult
from qfast.jobs.runtime import Runtime, default_runtime, run, submit
from qfast.jobs.session import Session
from qfast.jobs.signals import end_on_signals
from qfast.jobs.values import ComplexExpectationValue, ExpectationValue, ExpectationValues
from qfast.jobs.work import Requirements, Work

__all__ = [
    "Batch",
    "CancelledJobError",
    "ComplexExpectationValue",
    "Estimator",
    "EstimatorPubResult",
    "ExpectationValue",
    "ExpectationValues",
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
    "end_on_signals",
    "get_session",
    "load_result",
    "run",
    "save_result",
    "submit",
]
