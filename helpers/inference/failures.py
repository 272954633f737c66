"""What a model or a device may raise, and what becomes of it."""

from helpers.data.frame import Frame
from helpers.errors import VesselkitError
from helpers.inference.assembly import Failure, nameless
from helpers.inference.memory import is_out_of_memory
from helpers.runs.status import PredictionStatus

# What a model may raise on a frame that it cannot take. Anything else is a mistake in the code and stops the run.
MODEL_ERRORS = (RuntimeError, ValueError, MemoryError, ArithmeticError, LookupError)


def failure_of(frame: Frame, status: PredictionStatus, message: str) -> Failure:
    """A failure of a frame, its message without names."""
    return Failure(status, nameless(message, frame))


def model_failure(error: Exception, frame: Frame) -> Failure:
    """The failure of a frame that one of `MODEL_ERRORS` was raised for."""
    if is_out_of_memory(error):
        return Failure(PredictionStatus.OOM, "the frame does not fit in memory, even alone")
    return failure_of(frame, PredictionStatus.ERROR, f"{type(error).__name__}: {error}")


def device_failure(error: Exception) -> VesselkitError:
    """What to tell the user where the device itself failed."""
    return VesselkitError(
        f"the device failed ({nameless(str(error))}); what was computed before is kept. Check the device and run "
        "the same command again"
    )
