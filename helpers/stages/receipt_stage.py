"""Compare a model folder with a receipt of the official code: its tensors, then its calls on the same frames."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

from helpers import __version__
from helpers.checkpoints.convert.conversion_record import RECORD_NAME, keep_check, read_record
from helpers.checkpoints.convert.model_card import CardPart, write_part
from helpers.checkpoints.read.weight_source import open_source
from helpers.checkpoints.receipt.receipt_file import Receipt, read_receipt
from helpers.checkpoints.receipt.receipt_script import drawn_frames
from helpers.checkpoints.receipt.tensor_comparison import TensorComparison, compare_tensors
from helpers.core.card_parts import CARD_NAME
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.opening import Opening
from helpers.evaluation.headline import official_check_text
from helpers.prediction.engine.model_loading import (
    ModelIdentity,
    check_folder,
    check_memory,
    choose_device,
    load_model,
)
from helpers.prediction.receipt_seams import FrameComparison, SeamTolerance, compare_frame, compute, tolerance_for


class Outcome(StrEnum):
    """What a comparison comes to."""

    SAME = "same"
    INCOMPLETE = "incomplete"  # equal as far as it was compared: no `[SEG]`, some frames, a LoRA too small to tell
    OTHER_TENSORS = "other_tensors"
    OTHER_CALLS = "other_calls"


@dataclass(frozen=True)
class ReceiptVerdict:
    """A model folder against a receipt.

    Attributes:
        identity: of the folder.
        frames: by number in the receipt, from 1; only those that were given.
        dtype, device: that the folder computed in and on.
        unkept: why the folder's record could not take it up; None where it did.
    """

    receipt: Receipt = field(repr=False)
    identity: ModelIdentity
    tensors: TensorComparison
    frames: Mapping[int, FrameComparison]
    tolerance: SeamTolerance
    dtype: str
    device: str
    unkept: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What it comes to; tensors that differ come first, for calls follow them."""
        if not self.tensors.ok:
            return Outcome.OTHER_TENSORS
        if any(found.seam is not None for found in self.frames.values()):
            return Outcome.OTHER_CALLS
        is_whole = self.has_segments and not self.lacking and not self.tensors.is_blind
        return Outcome.SAME if is_whole else Outcome.INCOMPLETE

    @property
    def has_segments(self) -> bool:
        """Whether any `[SEG]` was compared."""
        return any(found.segments for found in self.frames.values())

    @property
    def lacking(self) -> list[int]:
        """Numbers of the receipt's frames that were not compared."""
        return [number for number in range(1, len(self.receipt.frames) + 1) if number not in self.frames]

    @property
    def is_another(self) -> bool:
        """Whether something differs."""
        return self.outcome in (Outcome.OTHER_TENSORS, Outcome.OTHER_CALLS)

    @property
    def first_break(self) -> tuple[int, FrameComparison] | None:
        """The first frame that differs, and how; None where none does."""
        return next(((number, found) for number, found in self.frames.items() if found.seam is not None), None)

    @property
    def seg_difference(self) -> float | None:
        """Largest absolute difference at `[SEG]`; None where none was compared."""
        known = [found.seg_difference for found in self.frames.values() if found.seg_difference is not None]
        return max(known, default=None)

    @property
    def mask_pixels(self) -> tuple[int, int] | None:
        """How many mask pixels differ, of how many; None where no masks were compared."""
        known = [found for found in self.frames.values() if found.mask_pixels is not None]
        return (sum(one.mask_pixels or 0 for one in known), sum(one.pixels for one in known)) if known else None

    def to_text(self) -> str:
        """For a person."""
        receipt = self.receipt
        words = {
            Outcome.SAME: "the same model as the official code's",
            Outcome.INCOMPLETE: f"equal as far as it was compared, and {'; and '.join(self._not_compared())}",
            Outcome.OTHER_TENSORS: f"NOT the same model. {self.tensors.cause and self.tensors.cause.words}",
            Outcome.OTHER_CALLS: "NOT the same model, though its tensors are",
        }[self.outcome]
        lines = [
            f"{self.identity.folder_name}: {words}",
            f"  receipt of {receipt.created}: {receipt.dtype} on {receipt.device}, "
            + ", ".join(f"{name} {version}" for name, version in receipt.versions.items()),
            f"  {self.tensors.to_text()}",
            *([f"  {self.tensors.limit_text()}"] if self.tensors.ok else []),
            f"  {len(self.frames)} of {counted(len(receipt.frames), 'frame')} compared, here in {self.dtype} on "
            f"{self.device}; tolerance {self.tolerance.states:g} of the norm at [SEG], {self.tolerance.logits:g} of "
            "mask logits",
        ]
        if self.first_break is not None:
            number, found = self.first_break
            lines.append(f"  frame {number} parts at {found.seam and found.seam.words}: {found.detail}")
        elif self.frames:
            lines.append(f"  {self._equal_ids()}")
        if self.seg_difference is not None:
            lines.append(f"  largest difference at [SEG] {self.seg_difference:.2g}")
        if self.mask_pixels is None and self.has_segments and self.first_break is None:
            lines.append("  the receipt holds no masks in the frames' size: their logits alone were compared")
        if self.mask_pixels is not None:
            lines.append(f"  {self.mask_pixels[0]} of {self.mask_pixels[1]} mask pixels differ")
        if self.unkept is not None:
            lines.append(f"  {RECORD_NAME} cannot be written ({self.unkept}): runs of this folder will not say so")
        return "\n".join(lines)

    def _not_compared(self) -> list[str]:
        """What an incomplete comparison lacks, and what to do."""
        lacks = []
        if self.lacking:
            numbers = ", ".join(map(str, self.lacking))
            were = f"frame {numbers} of the receipt was" if len(self.lacking) == 1 else f"frames {numbers} were"
            lacks.append(f"{were} not: give all frames of the receipt")
        elif not self.has_segments:
            lacks.append("no [SEG] was: give frames, and a prompt that the model answers with a mask")
        if self.tensors.is_blind:
            lacks.append(
                f"whether the official model has this LoRA cannot be told: it changes each of {self.tensors.adapters} "
                "weights by less than the comparison tells. Write the receipt with --dtype float32, and compare a "
                "folder that was converted with --dtype float32"
            )
        return lacks

    def _equal_ids(self) -> str:
        """Which ids are equal: a receipt may lack those of answers."""
        answers = sum(len(self.receipt.frames[number - 1].answer_ids) > 0 for number in self.frames)
        if answers == len(self.frames):
            return "ids of prompts and answers are equal"
        among = f"those of {answers} answers alone" if answers else "none of answers"
        return f"ids of prompts{' and answers' if answers else ''} are equal; the receipt holds {among}"

    def record(self) -> dict[str, Any]:
        """A JSON object, as `conversion.json` and runs keep it (docs/receipt-format.md)."""
        broken = self.first_break
        return {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "tensors_sha256": self.identity.tensors_sha256,
            "files_sha256": self.identity.files_sha256,
            "outcome": self.outcome.value,
            "receipt": {
                "sha256": self.receipt.sha256,
                "created": self.receipt.created,
                "drawn": self.receipt.drawn,
                "frames": len(self.receipt.frames),
                "dtype": self.receipt.dtype,
                "device": self.receipt.device,
                "versions": dict(self.receipt.versions),
            },
            "tensors": {
                "equal": self.tensors.equal,
                "close": self.tensors.close,
                "different": len(self.tensors.different),
                "missing": len(self.tensors.missing),
                "strays": len(self.tensors.strays),
                "tolerance": self.tensors.tolerance,
                "resolution": self.tensors.resolution,
                "adapters": self.tensors.adapters,
                "adapters_told": self.tensors.told,
                "cause": self.tensors.cause and self.tensors.cause.value,
            },
            "frames": len(self.frames),
            "segments": sum(found.segments for found in self.frames.values()),
            "seam": None if broken is None else broken[1].seam,
            "detail": None if broken is None else f"frame {broken[0]}: {broken[1].detail}",
            "seg_difference": self.seg_difference,
            "mask_pixels": None if self.mask_pixels is None else list(self.mask_pixels),
            "dtype": self.dtype,
            "device": self.device,
            "tolerance": asdict(self.tolerance),
            "versions": {
                "vesselkit": __version__,
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        }


def check_against_receipt(
    folder: Path, receipt_path: Path, opening: Opening | None = None, device: str = "auto"
) -> ReceiptVerdict:
    """Compare a model folder with a receipt, and keep the result in the folder's record where it can be written.

    On a processor the model computes in float32, else in the receipt's dtype.

    Args:
        folder: that `convert` wrote.
        opening: the data set that holds the receipt's frames, which are found by their pixels; None for drawn ones.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    Raises:
        UsageProblem: for a device that cannot be used or has too little memory, and frames that are needed and not
            given.
        RefusedInput: for a folder or receipt that is refused, or frames that are not among those given.
    """
    receipt = read_receipt(receipt_path)
    chosen = choose_device(device)
    dtype = "float32" if chosen.type == "cpu" else receipt.dtype
    identity = check_folder(folder)
    record = read_record(folder)
    if receipt.frames:
        check_memory(folder, device, dtype)
    images = _images(receipt, opening)
    with open_source(folder) as source:
        tensors = compare_tensors(receipt, source, record)
    tolerance = tolerance_for(receipt, (dtype, record.values["dtype"]), chosen.type)
    frames = _compared(folder, receipt, images, tolerance, device, dtype) if images else {}
    verdict = ReceiptVerdict(receipt, identity, tensors, frames, tolerance, dtype, chosen.type)
    found = verdict.record()
    try:
        keep_check(folder, found)
        if (folder / CARD_NAME).is_file():  # folders of earlier versions have none
            write_part(folder, CardPart.CHECK, f"Checked against official code: {official_check_text(found)}.")
    except OSError as error:  # a folder of others may be read-only, and the verdict holds all the same
        return replace(verdict, unkept=error.strerror or str(error))
    return verdict


def _images(receipt: Receipt, opening: Opening | None) -> dict[int, Image.Image]:
    """The receipt's frames that are there, by their number."""
    wanted = [frame.pixels_sha256 for frame in receipt.frames]
    if receipt.drawn:
        drawn = drawn_frames(len(wanted))
        if [pixel_sha256(image) for image in drawn] != wanted:
            raise RefusedInput("the receipt's drawn frames are not those of this version. Write it again")
        return dict(enumerate(drawn, 1))
    if not wanted:
        return {}
    if opening is None:
        raise UsageProblem(
            f"data: expected the images that the receipt was made of, {counted(len(wanted), 'frame')}, got none. They "
            "are found by their pixels"
        )
    found: dict[str, Image.Image] = {}
    frames = opening.open().frames
    for frame in track(frames, "looking for frames", unit="image"):
        try:
            image = read_frame(frame.path, frame.index, frame.bits)
        except UnreadableImage:
            continue  # the receipt's are readable
        pixels = pixel_sha256(image)
        if pixels in wanted:
            found[pixels] = image
        if len(found) == len(set(wanted)):
            break
    if not found:
        raise RefusedInput(
            f"data: none of the receipt's {counted(len(wanted), 'frame')} is among these {len(frames)}, compared by "
            "their pixels. Give the images that the receipt was made of"
        )
    return {number: found[pixels] for number, pixels in enumerate(wanted, 1) if pixels in found}


def _compared(
    folder: Path,
    receipt: Receipt,
    images: Mapping[int, Image.Image],
    tolerance: SeamTolerance,
    device: str,
    dtype: str,
) -> dict[int, FrameComparison]:
    for number, image in images.items():
        stated = receipt.frames[number - 1]
        if (stated.width, stated.height) != image.size:
            raise RefusedInput(
                f"the receipt calls its frame {number} {stated.width} x {stated.height} pixels, and it has "
                f"{image.width} x {image.height}: the file is damaged. Write it again"
            )
    model, tokenizer = load_model(folder, device, dtype)
    return {
        number: compare_frame(receipt.frames[number - 1], compute(model, tokenizer, image, receipt.prompt), tolerance)
        for number, image in track(images.items(), "comparing calls", total=len(images), unit="image")
    }
