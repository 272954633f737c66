"""SAM2's features of a sequence's frames, begun ahead of the masks: the encoder needs neither words nor memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from PIL import Image

from helpers.model.device_pixels import DevicePixels
from helpers.model.tracking import FrameFeatures
from helpers.model.video import encoded_at_once, features_ahead
from helpers.prediction.engine.case_result import MODEL_ERRORS, device_failure
from helpers.prediction.engine.io_threads import Loaded
from helpers.prediction.engine.memory_estimate import empty_cache, is_out_of_memory

Group = list[tuple[int, Loaded]]  # frames that go through SAM2's encoder together, by position
Encoded = Callable[[], Mapping[int, FrameFeatures]]  # gives features by position, of the frames that have any


@dataclass(frozen=True)
class PreparedFrame:
    """A frame as the model takes it in a sequence, still as bytes.

    Attributes:
        image: RGB; the language model sees a few of them, see `Bridge.frame_bytes`.
        square: uint8 (1, 3, S, S), stretched for SAM2; None where the device makes it of the image.
        alone: the inputs of the frame by itself; None where they are not asked for.
    """

    image: Image.Image = field(repr=False)
    square: torch.Tensor | None = field(repr=False)
    alone: Any = field(default=None, repr=False)


class FeaturesOfGroups:
    """Encodes the frames of one sequence in groups."""

    def __init__(self, model: Any, pixels: DevicePixels, relieve: Callable[[], None]):
        """Encode with a model, whose device makes the pixels that a processor did not; `relieve` as `retry_on_oom`."""
        self._model, self._pixels, self._relieve = model, pixels, relieve
        self._together = encoded_at_once(model)
        self._encode = _encoder(model)

    def ahead(self, items: Iterable[tuple[int, Loaded]]) -> Iterator[tuple[Group, Encoded]]:
        """Frames by position in groups, with their features, which are begun one group ahead."""
        rest, waiting = iter(items), None
        while group := list(islice(rest, self._together)):
            begun = group, self._begun(group, is_first=waiting is None)
            if waiting is not None:
                yield waiting
            waiting = begun
        if waiting is not None:
            yield waiting

    @torch.inference_mode()
    def of(self, frame: PreparedFrame) -> FrameFeatures:
        """The features of one frame."""
        return features_ahead(self._model, self._encode, lambda: self._square(frame)).found()[0]

    @torch.inference_mode()
    def _begun(self, group: Group, *, is_first: bool) -> Encoded:
        """What gives the features of the frames that could be read; none where there are no two, or no memory."""
        readable = [(position, item.prepared) for position, item in group if item.failure is None]
        if len(readable) < 2:
            return dict
        squares = lambda: torch.cat([self._square(frame) for _, frame in readable])  # noqa: E731
        found = retry_on_oom(
            lambda: features_ahead(self._model, self._encode, squares, is_first=is_first), self._relieve
        )
        if isinstance(found, Exception):
            return dict
        return lambda: dict(zip([at for at, _ in readable], found.found(), strict=True))

    def _square(self, frame: PreparedFrame) -> torch.Tensor:
        """SAM2's bytes of a frame, (1, 3, S, S), on the model's device."""
        square = self._pixels.squares(self._model, [frame.image]) if frame.square is None else frame.square
        return square.to(self._model.device)


def _encoder(model: Any) -> Callable[[torch.Tensor], list[FrameFeatures]]:
    """SAM2's encoder as trackers take it, of normalised frames (n, 3, S, S)."""
    if hasattr(model, "tracking"):
        return model.tracking.features
    # That of a folder converted before takes one frame, and asks for states that do not matter here.
    tracker = model.tracker(torch.zeros((1, model.config.hidden_size), dtype=model.dtype, device=model.device))
    return lambda pixels: [tracker.encode(one) for one in pixels.split(1)]


def retry_on_oom(work: Callable[[], Any], relieve: Callable[[], None] = lambda: None) -> Any:
    """What `work` gives, or what the model raised; where memory was wanting, it is tried once more.

    Args:
        relieve: gives memory back before the second try.
    Raises:
        VesselkitError: where the device itself failed.
    """
    for last in (False, True):
        try:
            return work()
        except torch.AcceleratorError as error:
            raise device_failure(error) from error
        except MODEL_ERRORS as error:
            failed = error.with_traceback(None)
        if last or not is_out_of_memory(failed):
            break
        relieve()
        empty_cache()
    return failed
