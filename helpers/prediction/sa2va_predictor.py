"""Sa2VA as a predictor: batches of images of any sizes, several prompts, one pass through each part of the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.bridge import bridge_of
from helpers.model.graphed_model import GraphedModel
from helpers.model.processing_sa2va import normalise_sam2
from helpers.model.prompt import EmbeddedWords, VisualTokens
from helpers.model.quantization.layers import quantization_of
from helpers.prediction.engine.chunks import PADDING_ALLOWED, chunks, image_chunks, length_groups
from helpers.prediction.engine.device_inputs import ImageInputs, PreparedImage, RawImage
from helpers.prediction.engine.dtypes import dtype_name, dtype_of
from helpers.prediction.predictor import FramePrediction, with_image_named
from helpers.runs.stored_maps import Upsampling

TOKEN_LIMIT = 64

# What goes through the mask decoder at once. Larger batches gain nothing there and cost memory.
MASKS_AT_ONCE = 16


@dataclass(frozen=True)
class _Maps:
    """SAM2's output for the `[SEG]` of one answer, as `helpers.prediction.predictor.FramePrediction` holds it."""

    logits: np.ndarray
    predicted_iou: np.ndarray
    object_score: np.ndarray


class Sa2VAPredictor:
    """Predicts with a Sa2VA model in evaluation mode, on the model's device and in its dtypes.

    An image's tiles are encoded once for all prompts. Its SAM2 features are computed once, and only where an answer
    holds a `[SEG]`. From one batch to the next it keeps each prompt's last answer alone, as a draft of the next ones
    where the dtype is narrower than float32: that saves time, and results do not depend on what was seen before.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        identity: Mapping[str, Any],
        token_limit: int = TOKEN_LIMIT,
        *,
        resizes: bool | None = None,
    ):
        """Wrap a model.

        Args:
            model: a `Sa2VAModel`, from an exported folder or composed.
            tokenizer: that of the same folder.
            identity: JSON object without paths, that says which weights, code and settings these are.
            token_limit: most tokens of an answer, at least 1.
            resizes: whether the device resizes the images, with the same bytes; None where it is a GPU.
        Raises:
            UsageProblem: for a token limit below 1.
            RefusedInput: for a model whose code is too old for batches, or a tokenizer of another model.
        """
        if token_limit < 1:
            raise UsageProblem(f"token limit: expected at least 1, got {token_limit}")
        if not hasattr(model, "answers"):
            raise RefusedInput("the model folder's code answers no batches; convert again with this version")
        strays = {token: tokenizer.convert_tokens_to_ids(token) for token in model.config.token_ids}
        if strays != dict(model.config.token_ids):
            raise RefusedInput(
                f"tokenizer: its ids {strays} differ from the model's {model.config.token_ids}. Use the folder's own"
            )
        self._model = model
        self._bridge = bridge_of(model)
        self._tokenizer = tokenizer
        self._identity = dict(identity)
        self._token_limit = token_limit
        self._quantization = quantization_of(model)
        self._dtype = dtype_of(model)
        self._drafts: dict[str, list[int]] = {}
        itself = model.device.type == "cuda" if resizes is None else resizes
        self._inputs = ImageInputs(model.config, self._bridge, model.device, itself)
        # Padding, drafts, and other answers beside one's own in the mask decoder change the last digits, and the
        # decoder may enlarge them. In float32 a batch shall equal single images; in narrower dtypes speed counts.
        self._exact = self._dtype.main == torch.float32
        # Folders converted before there were drafts answer without.
        self.takes_drafts = not self._exact and "drafts" in signature(model.answers).parameters

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights these are."""
        return self._identity

    @property
    def device(self) -> torch.device:
        """Where the model is, of several GPUs which; `settings` have its type alone."""
        return self._model.device

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON object of what else decides the predictions."""
        found = {
            "device": self._model.device.type,
            "dtype": str(self._dtype),
            "token_limit": self._token_limit,
            "attention": self._model.config._attn_implementation,
        }
        if self._quantization is not None:
            found["quantization"] = str(self._quantization)
        if isinstance(self._model, GraphedModel):
            found["cuda_graphs"] = True
        words = [self._bridge.prompt_ids(self._tokenizer, text, "", (1,)) for text in ("x", with_image_named("x"))]
        if words[0] != words[1]:  # runs in which such a model was asked the bare words do not go on
            found["prompt_prefix"] = with_image_named("")
        return found

    def prepare(self, image: Image.Image) -> PreparedImage | RawImage:
        """Tiles and SAM2 pixels of one image, or what a GPU makes them of; safe on several threads at once."""
        return self._inputs.prepare(image)

    @torch.inference_mode()
    def gather(self, prepared: Sequence[PreparedImage | RawImage]) -> Sequence[PreparedImage | RawImage]:
        """`to_device` on a GPU, ahead of `predict` and beside what it computes; elsewhere the inputs as they are."""
        return self._inputs.gather(prepared)

    @torch.inference_mode()
    def predict(
        self, prepared: Sequence[PreparedImage | RawImage], prompts: Sequence[str]
    ) -> list[list[FramePrediction]]:
        """Answers of a batch: one list for each image, with one answer for each prompt.

        Args:
            prompts: the user's words; `<image>` and a line break are put in front where it is missing.
        Raises:
            torch.OutOfMemoryError: where the batch does not fit.
            ValueError: for a prompt that names the image more than once.
        """
        return self.predict_each(prepared, [prompts] * len(prepared))

    @torch.inference_mode()
    def predict_each(
        self, prepared: Sequence[PreparedImage | RawImage], prompts: Sequence[Sequence[str]]
    ) -> list[list[FramePrediction]]:
        """As `predict`, with the prompts of each image, in one pass all the same."""
        if not any(prompts):
            return [[] for _ in prepared]
        images = self.to_device(prepared)
        found = self.answer(images, prompts)
        maps = self.masks(images, [[answer.seg_states for answer in row] for row in found])
        return [
            [
                FramePrediction(
                    text=self._bridge.answer_text(answer.token_ids, self._tokenizer),
                    truncated=answer.truncated,
                    logits=drawn.logits,
                    upsampling=Upsampling.SAM2_TWO_STEP,
                    network_size=self._model.config.sam2_sizes.image_size,
                    predicted_iou=drawn.predicted_iou,
                    object_score=drawn.object_score,
                    token_count=len(answer.token_ids),
                    tiles=len(image.tiles),
                    drafted=self.takes_drafts and answer.drafted,
                    dtype=dtype_name(self._dtype.sam2),
                )
                for answer, drawn in zip(answers, drawings, strict=True)
            ]
            for image, answers, drawings in zip(images, found, maps, strict=True)
        ]

    def to_device(self, prepared: Sequence[PreparedImage | RawImage]) -> list[PreparedImage]:
        """The first step of `predict`: images as the model takes them; those that a GPU resizes are there then."""
        return self._inputs.on_device(prepared)

    def answer(self, prepared: Sequence[PreparedImage], prompts: Sequence[Sequence[str]]) -> list[list[Any]]:
        """The second step: the model's own answers, one list for each image with one for each of its prompts."""
        bridge, model = self._bridge, self._model
        pictures = [bridge.image_tokens(image.tiles) for image in prepared]
        texts: dict[tuple[tuple[int, ...], str], EmbeddedWords] = {}
        for shown, own in zip(pictures, prompts, strict=True):
            for prompt in own:
                if (shown, prompt) not in texts:
                    texts[shown, prompt] = bridge.words(model, self._prompt_ids(shown, prompt), shown)
        visual = self.encode(prepared)
        pairs = [(index, prompt) for index, own in enumerate(prompts) for prompt in own]
        rows = [texts[pictures[index], prompt] for index, prompt in pairs]
        answers: list[Any] = [None] * len(pairs)
        allowed = 0.0 if self._exact else PADDING_ALLOWED
        for group in length_groups([len(row) for row in rows], allowed):
            asked = [bridge.prompt(model, rows[place], visual[pairs[place][0]]) for place in group]
            drafts = [self._drafts.get(pairs[place][1], []) for place in group]
            more = {"drafts": drafts} if self.takes_drafts else {}
            found = model.answers(asked, self._tokenizer, self._token_limit, **more)
            for place, answer in zip(group, found, strict=True):
                answers[place] = answer
                if not answer.truncated:
                    self._drafts[pairs[place][1]] = answer.token_ids
        rest = iter(answers)
        return [[next(rest) for _ in own] for own in prompts]

    def encode(self, prepared: Sequence[PreparedImage]) -> list[VisualTokens]:
        """What the second step begins with: what each image becomes for the language model."""
        return self._bridge.encode(self._model, [image.tiles for image in prepared])

    def prompt_tokens(self, image: PreparedImage, prompt: str) -> list[int]:
        """Token ids of a prompt about an image."""
        return self._prompt_ids(self._bridge.image_tokens(image.tiles), prompt)

    def _prompt_ids(self, pictures: tuple[int, ...], prompt: str) -> list[int]:
        return self._bridge.prompt_ids(self._tokenizer, with_image_named(prompt), "", pictures)

    def masks(self, prepared: Sequence[PreparedImage], states: list[list[torch.Tensor]]) -> list[list[_Maps]]:
        """The last step: maps of all `[SEG]`: `states` holds (n, H) for each image and prompt."""
        config = self._model.config
        counts = [[len(found) for found in row] for row in states]
        asked = [index for index, row in enumerate(counts) if sum(row)]
        side = config.sam2_sizes.image_size // 4
        maps = [[_empty_maps(side) for _ in row] for row in states]
        for chunk in image_chunks([sum(counts[index]) for index in asked], MASKS_AT_ONCE):
            images = [asked[place] for place in chunk]
            squares = torch.cat([prepared[index].square for index in images]).to(self._model.device)
            features = self._model.encode_sam2(normalise_sam2(squares, config.sam2_pixel_constants, self._dtype.sam2))
            wanted = torch.cat([found for index in images for found in states[index]])
            owners = torch.tensor([place for place, index in enumerate(images) for _ in range(sum(counts[index]))])
            lengths = [count for index in images for count in counts[index]]
            ends = np.cumsum(lengths)
            drawn = self._draw(features, wanted, owners.to(wanted.device), ends.tolist())
            parts = iter(zip(*(np.split(values, ends[:-1]) for values in drawn), strict=True))
            for index in images:
                maps[index] = [_Maps(*next(parts)) for _ in counts[index]]
        return maps

    def _draw(
        self, features: Any, states: torch.Tensor, owners: torch.Tensor, ends: list[int]
    ) -> tuple[np.ndarray, ...]:
        """Logits (S, h, w), predicted IoU (S,) of the chosen maps and object score (S,), float32.

        Args:
            ends: where each answer's rows of `states` end.
        """
        parts = chunks(len(states), MASKS_AT_ONCE)
        if self._exact:
            parts = (slice(start, end) for start, end in pairwise([0, *ends]) if end > start)
        logits, iou, score = [], [], []
        for part in parts:
            masks = self._model.decode_masks(features, states[part], owners[part])
            logits.append(masks.low_resolution)
            iou.append(masks.predicted_iou.max(-1).values)
            score.append(masks.object_score)
        return tuple(torch.cat(values).float().cpu().numpy() for values in (logits, iou, score))


def _empty_maps(side: int) -> _Maps:
    none = np.zeros(0, np.float32)
    return _Maps(np.zeros((0, side, side), np.float32), none, none)
