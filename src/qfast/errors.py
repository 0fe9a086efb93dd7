"""The error tree of qfast.

::

    QfastError
    ├── InputError (ValueError)            what the caller passed is wrong
    │   ├── CircuitError                   a circuit, an instruction or its operands
    │   ├── GateError                      a gate name, a parameter count, a matrix
    │   ├── ParameterError                 an unbound, unknown or non-finite parameter
    │   ├── ObservableError                a Pauli sum or an operator
    │   ├── QasmError                      OpenQASM text; carries line and column
    │   └── ShotPlanError                  a segment or an allocation of shots
    ├── ConfigError (ValueError)           a setting, its value or its source
    ├── CapacityError (MemoryError)        more bytes or qubits than there are
    ├── EngineError (RuntimeError)         an engine or ISA is absent or failed
    ├── LifecycleError (RuntimeError)      a session or a pool is in the wrong state
    │   ├── SessionClosedError
    │   ├── SessionExpiredError
    │   ├── SessionNotFoundError
    │   ├── DeviceMismatchError
    │   ├── PoolClosedError
    │   ├── PoolTimeoutError (TimeoutError)
    │   └── LeaseError
    ├── JobError (RuntimeError)            a job did not complete
    │   ├── JobFailedError
    │   ├── JobCancelledError
    │   └── JobTimeoutError (TimeoutError)
    ├── CancelledRunError (RuntimeError)   a cancel token stopped a simulation
    ├── VerificationError (ValueError)     a job graph failed certification
    ├── DeviceError (RuntimeError)
    │   ├── DeviceBusyError
    │   ├── DeviceOfflineError
    │   └── DeviceAuthError (PermissionError)
    └── ServerError (RuntimeError)

Every message says what was asked, the offending value and where it stands, what is allowed and
what to do. Errors are picklable: they are rebuilt from their message and their ``__dict__``.
"""

from __future__ import annotations

__all__ = [
    "CancelledRunError",
    "CapacityError",
    "CircuitError",
    "ConfigError",
    "DeviceAuthError",
    "DeviceBusyError",
    "DeviceError",
    "DeviceMismatchError",
    "DeviceOfflineError",
    "EngineError",
    "GateError",
    "InputError",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "LeaseError",
    "LifecycleError",
    "ObservableError",
    "ParameterError",
    "PoolClosedError",
    "PoolTimeoutError",
    "QasmError",
    "QfastError",
    "ServerError",
    "SessionClosedError",
    "SessionExpiredError",
    "SessionNotFoundError",
    "ShotPlanError",
    "VerificationError",
]


class QfastError(Exception):
    """Base of every error that qfast raises on purpose."""


class InputError(QfastError, ValueError):
    """What the caller passed is wrong; nothing has been changed."""


class CircuitError(InputError):
    """A circuit, one of its instructions or their operands is wrong."""


class GateError(InputError):
    """A gate name, its number of parameters or its matrix is wrong."""


class ParameterError(InputError):
    """A parameter is unbound, unknown or not finite."""


class ObservableError(InputError):
    """A Pauli sum or another operator is wrong."""


class QasmError(InputError):
    """OpenQASM text that cannot be read.

    Attributes
    ----------
    line, column : int or None
        Place of the offending text, both counted from 1.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class ShotPlanError(InputError):
    """A segment, a basis or an allocation of shots is wrong."""


class ConfigError(QfastError, ValueError):
    """A setting, its value or its source is wrong."""


class CapacityError(QfastError, MemoryError):
    """More memory, qubits or shots were asked for than there are."""


class EngineError(QfastError, RuntimeError):
    """A forced engine or ISA is absent, or an engine failed."""


class LifecycleError(QfastError, RuntimeError):
    """A session, a batch or a pool is in the wrong state for the call."""


class SessionClosedError(LifecycleError):
    """The session no longer accepts jobs."""


class SessionExpiredError(LifecycleError):
    """The session's time to live has passed."""


class SessionNotFoundError(LifecycleError):
    """No session has this id."""


class DeviceMismatchError(LifecycleError):
    """The job names another device than its session."""


class PoolClosedError(LifecycleError):
    """The pool no longer gives leases."""


class PoolTimeoutError(LifecycleError, TimeoutError):
    """A lease could not be had in the time allowed."""


class LeaseError(LifecycleError):
    """A lease was returned twice or to a pool that did not give it."""


class JobError(QfastError, RuntimeError):
    """A job did not complete."""


class JobFailedError(JobError):
    """A job ended with an error."""


class JobCancelledError(JobError):
    """A job was cancelled."""


class JobTimeoutError(JobError, TimeoutError):
    """A job ran out of its time."""


class CancelledRunError(QfastError, RuntimeError):
    """A simulation was stopped by its cancel token."""


class VerificationError(QfastError, ValueError):
    """A job graph failed its certification.

    Attributes
    ----------
    faults : tuple of qfast.qvm.Fault
        Everything that is wrong with it.
    code : int
        The code that clients see.
    """

    code: int

    def __init__(self, message: str, faults: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class DeviceError(QfastError, RuntimeError):
    """A device cannot serve the request."""


class DeviceBusyError(DeviceError):
    """The device is busy and the policy is to fail."""


class DeviceOfflineError(DeviceError):
    """The device is in maintenance or cannot be reached."""


class DeviceAuthError(DeviceError, PermissionError):
    """The device refused the token."""


class ServerError(QfastError, RuntimeError):
    """The server answered with an error of its own."""
