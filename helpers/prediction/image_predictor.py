"""Images of a script become masks: a loaded model, and the same pixels that `vesselkit predict` would store."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.given_values import known_word
from helpers.core.vocabulary import Combine, Quantization
from helpers.data.frames.frame import Frame
from helpers.data.frames.image_reading import image_depth
from helpers.data.frames.set_depth import common_depth
from helpers.model.given_image import one_picture
from helpers.model.image_file import size_reason
from helpers.model.image_mode import is_deep_grey, require_opaque, scale_grey, to_rgb
from helpers.prediction.batch_size import automatic_batch_size, device_of
from helpers.prediction.engine.case_result import Failure, Thresholding, failure_of, frame_facts
from helpers.prediction.engine.case_writer import full_map, results_of
from helpers.prediction.engine.io_threads import Loaded, load, prepare
from helpers.prediction.model_choice import ModelChoice
from helpers.prediction.predictor import DEFAULT_PROMPT, Predictor
from helpers.prediction.run import check_parameters
from helpers.runs.asked_prompts import FIRST_PROMPT_ID
from helpers.runs.case_parts import CaseResult
from helpers.runs.status import PredictionStatus

# What one image may be given as; a pair is a frame, from 0, of a DICOM or video file.
GivenImage = str | os.PathLike | Image.Image | np.ndarray | tuple[str | os.PathLike, int]


@dataclass(frozen=True)
class ImagePrediction:
    """What was predicted for one image.

    Attributes:
        status: `ok`, or what is to be known before the mask is used, as in docs/run-format.md. With `read_error`,
            `bad_size`, `oom` and `error` nothing was predicted.
        mask: bool (H, W), True inside a vessel; None where there is no mask, which is not an empty one.
        logits: float32 (H, W), the map that `mask` is thresholded from; None as `mask`.
        text: the model's answer, special tokens included; None where there is none.
        message: what went wrong; None where nothing did.
    """

    status: PredictionStatus
    mask: np.ndarray | None = field(repr=False)
    logits: np.ndarray | None = field(repr=False)
    text: str | None
    message: str | None = None


class ImagePredictor:
    """A loaded model that takes images."""

    def __init__(self, predictor: Predictor):
        """Wrap a predictor of frames."""
        self._predictor = predictor

    def __repr__(self) -> str:
        settings = self._predictor.settings
        shown = ", ".join(str(settings[name]) for name in ("device", "dtype", "quantization") if name in settings)
        return f"{type(self).__name__}({self._predictor.identity.get('folder_name', 'frangi')}: {shown})"

    def predict(
        self,
        images: GivenImage | Sequence[GivenImage],
        text: str = DEFAULT_PROMPT,
        threshold: float = 0.5,
        *,
        combine: str = "union",
        batch_size: int | None = None,
        bits: int | None = None,
    ) -> ImagePrediction | list[ImagePrediction]:
        """Segment one image or several.

        The pixels are those that `vesselkit predict` stores for the same frame, prompt and batch. The last digits of
        logits depend on which images share a batch, here as there.

        Args:
            images: one image, or a list or tuple of images. An image is the path of an image, DICOM or video file; a
                pair of such a path and the number of a frame in it, from 0; a PIL image; or a numpy array, uint8 of
                shape (H, W) or, in RGB, (H, W, 3), or uint16 of shape (H, W) with `bits`.
            text: the prompt, in the user's words.
            threshold: probability above which a pixel is in the mask, between 0 and 1.
            combine: `union`, `first` or `best`: how several `[SEG]` become one mask.
            batch_size: images predicted together; None for what suits the device.
            bits: depth of grey of more than 8 bits whose file states no range. None takes one depth for all files of
                the call, the smallest that holds their largest value, as for a data set.

        Returns:
            One result for one image, a list in the order given for several. An image that cannot be read or predicted
            has its status and message and no mask; the others are predicted.

        Raises:
            UsageProblem: for a text, threshold, rule, depth or batch size that cannot work.
            VesselkitError: where the device itself failed.

        Example:
            >>> import vesselkit
            >>> model = vesselkit.load_model("my-model", device="cpu")
            >>> found = model.predict(["frames/a.png", "frames/lost.png"])
            >>> [str(one.status) for one in found]
            ['ok', 'read_error']
            >>> found[0].mask.shape, found[0].mask.dtype, found[1].mask
            ((64, 64), dtype('bool'), None)
            >>> found[1].message
            'expected an image file, found none (missing, or not a regular file). Check the path'
        """
        check_parameters([text], threshold, batch_size)
        if bits is not None and not 8 <= bits <= 16:
            raise UsageProblem(f"bits: expected 8 to 16, got {bits}")
        is_one = not isinstance(images, list | tuple) or _is_frame_of_file(images)
        given: list[Any] = list(images) if isinstance(images, list | tuple) and not is_one else [images]
        thresholding = Thresholding(threshold, known_word(Combine, combine, "combine"))
        size = batch_size or automatic_batch_size(device_of(self._predictor))
        found = []
        reader = _Reader(self._predictor, given, bits)
        for start in range(0, len(given), size):
            loaded = [reader.load(number) for number in range(start, min(start + size, len(given)))]
            results = results_of(self._predictor, loaded, {FIRST_PROMPT_ID: text}, thresholding)
            found += [_prediction(result, thresholding.combine) for result in results]
        return found[0] if is_one else found


class _Reader:
    """Reads given images one by one, once it is decided how deep the grey of the files among them is."""

    def __init__(self, predictor: Predictor, given: Sequence[GivenImage], bits: int | None):
        self._predictor, self._given, self._bits = predictor, given, bits
        paths = list(_paths(given))
        self._depths: dict[Path, int] = {}
        self._undecided: str | None = None
        try:
            self._depths = common_depth(Path("the given images"), paths, bits).by_path
        except RefusedInput as error:  # of all together: those that it is about have it as their failure
            self._undecided = str(error)

    def load(self, number: int) -> Loaded:
        """The image at a place, from 0; what is wrong with it becomes its failure."""
        given: Any = self._given[number]
        path, index = given if _is_frame_of_file(given) else (given, None)
        if not isinstance(path, str | os.PathLike):
            return self._in_memory(Frame(f"image-{number + 1}", Path(f"image-{number + 1}")), given)
        path = Path(path)
        frame = Frame(f"image-{number + 1}", path, index, bits=self._depths.get(path))
        if self._undecided is not None and _is_open(path):
            return Loaded(frame, None, failure=failure_of(frame, PredictionStatus.READ_ERROR, self._undecided))
        return load(frame, self._predictor)

    def _in_memory(self, frame: Frame, given: Any) -> Loaded:
        try:
            picture = self._eight_bits(given)
            reason = size_reason(picture)
            if reason is not None:
                return Loaded(frame, None, failure=Failure(PredictionStatus.BAD_SIZE, reason))
            image = to_rgb(picture)
        except ValueError as error:
            return Loaded(frame, None, failure=Failure(PredictionStatus.READ_ERROR, str(error)))
        return prepare(frame, image, frame_facts(image), self._predictor, {})

    def _eight_bits(self, given: Any) -> Image.Image:
        """A picture of 8 bits. Raises ValueError for anything but an image, and for grey of unknown depth."""
        is_deep = isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype == np.uint16
        picture = None if is_deep else one_picture(given)
        if picture is not None and not is_deep_grey(picture):
            return picture
        if picture is not None:
            require_opaque(picture)
        values = np.asarray(given if picture is None else picture)
        if self._bits is None:
            raise ValueError(
                "image: expected 8 bits, or bits=N for grey of more, got deeper grey in memory that states no range. "
                "Name its depth with bits, or give the path"
            )
        white = 2**self._bits - 1
        if values.size and values.max() > white:
            raise ValueError(f"image: found grey values up to {values.max():g}, and {self._bits} bits end at {white}")
        return Image.fromarray(scale_grey(values, white))


def _is_frame_of_file(given: Any) -> TypeGuard[tuple[str | os.PathLike[str], int]]:
    """Whether it is a pair of a path and a frame's number, not two images."""
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[0], str | os.PathLike)
        and isinstance(given[1], int)
    )


def _paths(given: Sequence[GivenImage]) -> Iterator[Path]:
    for one in given:
        path: Any = one[0] if _is_frame_of_file(one) else one
        if isinstance(path, str | os.PathLike):
            yield Path(path)


def _is_open(path: Path) -> bool:
    """Whether a file holds grey of more than 8 bits whose format leaves its range open."""
    depth = image_depth(path)
    return depth is not None and depth.full_scale is None


def _prediction(result: CaseResult, combine: Combine) -> ImagePrediction:
    row = result.rows[0]
    logits = full_map(result, FIRST_PROMPT_ID, combine)
    return ImagePrediction(row.status, result.masks.get(FIRST_PROMPT_ID), logits, row.text, row.message)


def load_model(
    folder: str | os.PathLike, device: str = "auto", dtype: str = "auto", quantize: str | None = None
) -> ImagePredictor:
    """Load a model to predict images with.

    Args:
        folder: model folder that `convert` wrote, or `frangi` for the classical baseline.
        device: `auto` (the first CUDA device, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (mixed on a GPU, else float32), `mixed`, `bfloat16`, `float16` or `float32`.
        quantize: `int8` or `nf4` holds the language model's weights in 8 or 4 bits; None leaves them in the dtype.

    Returns:
        The model in evaluation mode on its device; `predict` of it takes images.

    Raises:
        UsageProblem: for a folder that is not there, a device or dtype that cannot be used, or too little memory.
        RefusedInput: for a folder that `convert` did not write, or whose code was changed since.

    Example:
        >>> import vesselkit
        >>> model = vesselkit.load_model("my-model", device="cpu")
        >>> model
        ImagePredictor(my-model: cpu, float32)
        >>> model.predict("frames/a.png").mask.shape
        (64, 64)
    """
    choice = ModelChoice(
        folder if isinstance(folder, str) else Path(folder),
        device=device,
        dtype=dtype,
        quantize=None if quantize is None else known_word(Quantization, quantize, "quantize"),
    ).found()
    choice.check()
    return ImagePredictor(choice.open().load())
