"""Frames with their masks, requests and answers, as training takes them."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.utils.data import Dataset as TorchDataset

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.cases import Case, ignored_of
from helpers.data.frames.frame import in_sequences
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.model.processing_sa2va import cut_tiles, image_bytes
from helpers.model.video import FRAMES_SEEN
from helpers.prediction.predictor import check_prompt
from helpers.train.fine_tuning.measuring_frames import REFUSAL, is_measuring, require_not_measuring
from helpers.train.test_route.frame_dataset import opened_by_config
from helpers.train.test_route.mmengine_scope import DATASETS, TRANSFORMS

PROMPTS = (
    "Please segment the {text}.",
    "Please segment the {text} in this image.",
    "Can you segment the {text} in this image?",
    "Where is the {text}? Please respond with a segmentation mask.",
    "Segment the {text}.",
    "{text}",
)
ANSWERS = ("Sure, it is [SEG].",)
TEXT = "blood vessels"

Transform = Callable[[Image.Image, np.ndarray, np.random.Generator], tuple[Image.Image, np.ndarray]]

# Training knows vessel and background alone.
_NO_IGNORED = (
    "expected a ground truth of vessel and background, found pixels that are not scored, which training would take for "
    "background. Train on a copy of the data set in which they are decided"
)


@DATASETS.register_module()
class SegmentationSamples(TorchDataset):
    """Cases with ground truth, in any layout of docs/datasets.md; those without are left out.

    An item is asked for by `(position, index)`: the position in the whole course of training seeds what is drawn, so
    that a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(
        self,
        data: str,
        *,
        limit: int | None = None,
        prompts: Sequence[str] = PROMPTS,
        answers: Sequence[str] = ANSWERS,
        text: str = TEXT,
        mask_side: int = 256,
        several: float = 0.0,
        transforms: Sequence[dict[str, Any]] = (),
        seed: int = 0,
        tile_size: int = 448,
        max_tiles: int = 12,
        sam2_size: int = 1024,
        **opening: Any,
    ):
        """Open the data set.

        Args:
            data: its folder or annotation file.
            limit: only the first so many cases.
            prompts: ways to ask; `{text}` stands for what the annotation calls the object, or else for `text`.
            answers: of one `[SEG]` each.
            text: what to ask for where the annotation has no words.
            mask_side: truths are brought to this height and width; the official training takes 256.
            several: share of the samples in which the language model sees up to five frames of the case's sequence, as
                it does where sequences are tracked; a model that never saw that may answer without `[SEG]` there. The
                mask is that of one of them.
            transforms: changes of image and mask, from the registry TRANSFORMS; of one sample the same for all frames.
            seed: of prompts, answers and changes.
            tile_size, max_tiles, sam2_size: those of the model, pixels and tiles.
            opening: further fields of `helpers.data.opening.Opening`.
        Raises:
            UsageProblem, RefusedInput: as `Opening.open`, where no case has a ground truth, a patient is sealed, a
                frame is one that the kit's models are measured on, or where several frames are asked for and no two
                belong together.
        """
        if any(answer.count("[SEG]") != 1 for answer in answers) or not answers or not prompts:
            raise UsageProblem("train_dataloader.dataset: expected prompts, and answers with one [SEG] each")
        for prompt in prompts:
            check_prompt(str(prompt).replace("{text}", text), "train_dataloader.dataset.prompts")
        opened = opened_by_config("train_dataloader", data, opening)
        opened.require_unsealed("training")
        self.cases: tuple[Case, ...] = tuple(case for case in opened.cases if case.truth is not None)[:limit]
        opened.require_decided()
        if opened.rules.ignore:
            raise RefusedInput(
                f"{data}: {_NO_IGNORED}. The rule `ignore` of the data set is {', '.join(opened.rules.ignore)}"
            )
        if not self.cases:
            raise RefusedInput(f"{data}: expected cases with a ground truth, found none among {len(opened.cases)}")
        require_not_measuring(case.frame for case in self.cases)
        groups = in_sequences(opened.cases, lambda case: case.frame)
        self._sequences = {case.case_id: group for group in groups if len(group) > 1 for case in group}
        if not 0 <= several <= 1 or (several and not self._sequences):
            raise UsageProblem(
                f"train_dataloader.dataset.several: expected a share of 0 to 1 and sequences to take frames from, got "
                f"{several} and {len(self._sequences)} frames in sequences. Say with group_by which belong together"
            )
        self._several = several
        self._prompts, self._answers, self._text = tuple(prompts), tuple(answers), text
        self._mask_side, self._seed = mask_side, seed
        self._transforms: tuple[Transform, ...] = tuple(TRANSFORMS.build(dict(one)) for one in transforms)
        self._tile_size, self._max_tiles, self._sam2_size = tile_size, max_tiles, sam2_size

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, place: tuple[int, int]) -> dict[str, Any]:
        """One sample.

        Args:
            place: position in the course of training, and index of the case.
        Returns:
            `tiles` uint8 (T, C, 448, 448), `pixels` uint8 (C, 1024, 1024), with one channel for a grey image, else
            three; `truth` uint8 (mask_side, mask_side) of 0 and 1, `prompt`, `answer`, and `position`. `frames` is 1,
            or T where each tile is a frame of its own.
        """
        position, index = place
        case, random = self.cases[index], np.random.default_rng((self._seed, position))
        shown, before = self._shown(case, position), deepcopy(random)
        image, mask = self._changed(case, random)
        if len(shown) > 1:
            frames = [image if one is case else self._changed(one, deepcopy(before))[0] for one in shown]
            tiles = [one.resize((self._tile_size, self._tile_size), Image.Resampling.BICUBIC) for one in frames]
        else:
            tiles = cut_tiles(image, 1, self._max_tiles, self._tile_size, True)
        side = (self._mask_side, self._mask_side)
        truth = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(side, Image.Resampling.NEAREST))
        return {
            "tiles": _bytes(tiles),
            "pixels": _bytes([image.resize((self._sam2_size, self._sam2_size), Image.Resampling.BICUBIC)])[0],
            "truth": torch.from_numpy(truth.copy()),
            "prompt": str(random.choice(self._prompts)).replace("{text}", self._words(case, random)),
            "answer": str(random.choice(self._answers)),
            "position": position,
            "frames": len(shown),
        }

    def _shown(self, case: Case, position: int) -> tuple[Case, ...]:
        """The frames that the language model sees, in order of time: the case's own, or some of its sequence."""
        random, group = np.random.default_rng((self._seed, position, 1)), self._sequences.get(case.case_id, ())
        if len(group) < 2 or random.random() >= self._several:
            return (case,)
        others = [place for place, one in enumerate(group) if one.case_id != case.case_id]
        chosen = set(random.choice(others, min(FRAMES_SEEN, len(group)) - 1, replace=False))
        return tuple(
            case if one.case_id == case.case_id else one
            for place, one in enumerate(group)
            if place in chosen or one.case_id == case.case_id
        )

    def _changed(self, case: Case, random: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
        """A case's image and mask, bool (H, W), as changed; without a ground truth the mask is empty."""
        try:
            frame = read_frame(case.frame.path, case.frame.index, case.frame.bits)
            if is_measuring(frame):  # from a file that was not looked into before, such as a video
                raise RefusedInput(f"case {case.case_id}: {REFUSAL}")
            image = _one_channel(frame)
            mask = np.zeros((image.height, image.width), bool)
            if case.truth is not None:
                mask = case.truth.mask(image.width, image.height)
                if ignored_of(case.truth, image.width, image.height) is not None:
                    raise RefusedInput(f"case {case.case_id}: {_NO_IGNORED}")
        except UnreadableImage as error:  # which torch cannot hand on from another process, and which names a file
            raise RefusedInput(f"case {case.case_id} cannot be read: {error.reason}") from error
        for transform in self._transforms:
            image, mask = transform(image, mask, random)
        return image, mask

    def _words(self, case: Case, random: np.random.Generator) -> str:
        """What to ask for, as the official training writes it: lower case, no full stop at the end."""
        texts = [text for text in str(case.provenance.get("texts") or "").split("\n") if text.strip()]
        return str(random.choice(texts)).lower().strip().rstrip(".") if texts else self._text


def _one_channel(image: Image.Image) -> Image.Image:
    """A grey image as mode L, a third of the work; resizing treats each channel by itself, so nothing else changes."""
    red, green, blue = image.split()
    return red if red.tobytes() == green.tobytes() == blue.tobytes() else image


def _bytes(images: list[Image.Image]) -> torch.Tensor:
    """Images of one size, uint8 (n, C, H, W), with one channel where all are grey."""
    if all(image.mode == "L" for image in images):
        return torch.from_numpy(np.stack([np.asarray(image) for image in images]))[:, None]
    return image_bytes([image.convert("RGB") for image in images])


@TRANSFORMS.register_module()
@dataclass(frozen=True)
class AngiogramChanges:
    """Random changes; each range is drawn from evenly, in its logarithm where it is a factor.

    Attributes:
        mirror: whether to mirror half of the frames.
        turn: largest angle, degrees.
        zoom: factors of magnification.
        shift: largest displacement, share of the side.
        gamma, contrast: factors.
        brightness: largest change, share of the grey scale.
        noise: largest standard deviation, grey values.
        blur: largest radius, pixels.
        invert: share of frames whose grey values are turned round.
    """

    mirror: bool = True
    turn: float = 20.0
    zoom: tuple[float, float] = (0.8, 1.4)
    shift: float = 0.08
    gamma: tuple[float, float] = (0.7, 1.4)
    contrast: tuple[float, float] = (0.7, 1.4)
    brightness: float = 0.12
    noise: float = 8.0
    blur: float = 1.2
    invert: float = 0.0

    def __call__(
        self, image: Image.Image, mask: np.ndarray, random: np.random.Generator
    ) -> tuple[Image.Image, np.ndarray]:
        """The changed image, mode L and of the same size, and its mask, bool (H, W)."""
        grey = image.getchannel(0)
        matrix, fill = self._matrix(grey.size, random), int(np.median(np.asarray(grey)))
        moved = grey.transform(grey.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=fill)
        truth = Image.fromarray(mask.astype(np.uint8) * 255).transform(
            grey.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        if random.random() < 0.5:
            moved = moved.filter(ImageFilter.GaussianBlur(random.uniform(0, self.blur)))
        return Image.fromarray(self._greys(np.asarray(moved), random)), np.asarray(truth) > 127

    def _matrix(self, size: tuple[int, int], random: np.random.Generator) -> tuple[float, ...]:
        """Coefficients from a pixel of the result to its place in the given image."""
        angle = np.deg2rad(random.uniform(-self.turn, self.turn))
        scale = 1 / _factor(self.zoom, random)
        flip = -1.0 if self.mirror and random.random() < 0.5 else 1.0
        linear = (
            scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag((flip, 1))
        )
        middle = np.array(size) / 2
        offset = middle + random.uniform(-self.shift, self.shift, 2) * size - linear @ middle
        return (*linear[0], offset[0], *linear[1], offset[1])

    def _greys(self, pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Pixels uint8 (H, W) under other exposure, uint8."""
        curve = np.linspace(0, 1, 256, dtype=np.float32) ** _factor(self.gamma, random)
        middle = np.bincount(pixels.ravel(), minlength=256) @ curve / pixels.size
        curve = middle + (curve - middle) * _factor(self.contrast, random)
        curve += random.uniform(-self.brightness, self.brightness)
        noise = random.uniform(0, self.noise) / 255
        grey = curve.astype(np.float32)[pixels] + noise * random.standard_normal(pixels.shape, dtype=np.float32)
        if random.random() < self.invert:
            grey = 1 - grey
        return (np.clip(grey, 0, 1) * 255).round().astype(np.uint8)


def _factor(ends: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(*np.log(ends))))
