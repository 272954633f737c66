"""Frames with their masks, requests and answers, as training takes them."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset as TorchDataset

from helpers.data.frame import in_sequences
from helpers.data.ignored import ignored_of
from helpers.data.record import Case
from helpers.errors import RefusedInput, UsageProblem
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.inference.prompts import check_prompt
from helpers.runner.dataset import opened_by_config
from helpers.runner.registry import DATASETS, TRANSFORMS
from helpers.sa2va.processing_sa2va import cut_tiles, image_bytes
from helpers.sa2va.video import FRAMES_SEEN

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
            UsageProblem, RefusedInput: as `Opening.open`, where no case has a ground truth, or where several frames
                are asked for and no two belong together.
        """
        if any(answer.count("[SEG]") != 1 for answer in answers) or not answers or not prompts:
            raise UsageProblem("train_dataloader.dataset: expected prompts, and answers with one [SEG] each")
        for prompt in prompts:
            check_prompt(str(prompt).replace("{text}", text), "train_dataloader.dataset.prompts")
        opened = opened_by_config("train_dataloader", data, opening)
        self.cases: tuple[Case, ...] = tuple(case for case in opened.cases if case.truth is not None)[:limit]
        opened.require_decided()
        if opened.rules.ignore:
            raise RefusedInput(
                f"{data}: {_NO_IGNORED}. The rule `ignore` of the data set is {', '.join(opened.rules.ignore)}"
            )
        if not self.cases:
            raise RefusedInput(f"{data}: expected cases with a ground truth, found none among {len(opened.cases)}")
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
            image = _one_channel(read_frame(case.frame.path, case.frame.index, case.frame.bits))
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
