"""Sa2VA on transformers' own modules: InternVL's vision tower and projector, a language model, SAM 2.0.

Only the glue is written here: pixel shuffle, the prompt, greedy answering that keeps the hidden states of `[SEG]`,
and the SAM2 decoder prompted by them. Shapes in comments: T tiles, K tokens a tile, H language width, S number of
`[SEG]`, D SAM2 width.
"""

import json
import os
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from PIL import Image
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel, Sam2VideoModel
from transformers.models.internvl.modeling_internvl import InternVLMultiModalProjector
from transformers.utils import logging

from .answering import Answer, GreedyDecoding
from .configuration_sa2va import Sa2VAConfig
from .decoding import Candidates, decode
from .image_mode import given_as_rgb
from .processing_sa2va import (
    IMAGE_CONTEXT,
    build_prompt,
    cut_tiles,
    image_text,
    region_cells,
    region_text,
    sam2_pixels,
    tile_pixels,
)
from .sam2_sizes import sam2_video_config
from .tracking import Tracker
from .video import predict_video

logger = logging.get_logger(__name__)


@dataclass
class Sam2Features:
    """What SAM2's encoder gives for a batch of B images; computed once however many `[SEG]` follow.

    Attributes:
        embedding: (B, D, 64, 64), no-memory embedding added.
        high_resolution: (B, D / 8, 256, 256) and (B, D / 4, 128, 128), after the decoder's `conv_s0` and `conv_s1`.
    """

    embedding: torch.Tensor
    high_resolution: tuple[torch.Tensor, torch.Tensor]


@dataclass
class MaskLogits:
    """Masks of S `[SEG]` tokens.

    Attributes:
        low_resolution: (S, 256, 256) float32, the candidate of highest predicted IoU.
        predicted_iou: (S, 3), SAM2's own estimates for its three candidates, in [0, 1].
        object_score: (S,) logits that an object is there at all. Sa2VA never gates masks by it.
    """

    low_resolution: torch.Tensor
    predicted_iou: torch.Tensor
    object_score: torch.Tensor


@dataclass
class Prediction:
    """Everything one call computed.

    Attributes:
        text: the decoded answer, special tokens included.
        answer: its tokens and `[SEG]` states.
        masks: None where the answer holds no `[SEG]` or no image was given.
        logits: (S, H, W) float32 on the image's own grid; S may be 0.
    """

    text: str
    answer: Answer
    masks: MaskLogits | None
    logits: torch.Tensor


class SegProjection(nn.Module):
    """From the language model's hidden state at `[SEG]` to a prompt token of SAM2."""

    def __init__(self, language_width: int, sam2_width: int):
        super().__init__()
        self.linear_1 = nn.Linear(language_width, language_width)
        self.linear_2 = nn.Linear(language_width, sam2_width)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.linear_2(nn.functional.relu(self.linear_1(hidden_states)))


def pixel_shuffle(features: torch.Tensor, factor: float) -> torch.Tensor:
    """Trade vision tokens for channels, InternVL's 'v2' order.

    Args:
        features: (T, side, side, C).
        factor: 0.5 makes (T, side / 2, side / 2, 4 C).
    """
    tiles, side, _, channels = features.shape
    small = int(side * factor)
    features = features.view(tiles, side, small, int(channels / factor)).permute(0, 2, 1, 3).contiguous()
    features = features.view(tiles, small, small, int(channels / factor**2))
    return features.permute(0, 2, 1, 3).contiguous()


def upsample_logits(low_resolution: torch.Tensor, image_size: int, height: int, width: int) -> torch.Tensor:
    """SAM2's two bilinear steps: to the square network input, then to the image. (S, h, w) -> (S, height, width)."""
    square = nn.functional.interpolate(low_resolution[:, None], size=(image_size, image_size), mode="bilinear")
    return nn.functional.interpolate(square, size=(height, width), mode="bilinear")[:, 0]


def _set_query_key_epsilon(vision_tower: nn.Module, epsilon: float) -> None:
    """Give query and key norms the tower's epsilon, as InternVL does: transformers fixes theirs at 1e-6."""
    for layer in vision_tower.encoder.layer:
        for norm in (layer.attention.q_norm, layer.attention.k_norm):
            if hasattr(norm, "variance_epsilon"):
                norm.variance_epsilon = epsilon


def _fit_memory_width(sam2: Sam2VideoModel, memory_width: int) -> None:
    """Give the memory's keys and values their width: transformers fixes it at 64, that of the published models."""
    for layer in sam2.memory_attention.layers:
        attention = layer.cross_attn_image
        for name in ("k_proj", "v_proj"):
            fixed = getattr(attention, name)
            if fixed.in_features != memory_width:
                setattr(attention, name, nn.Linear(memory_width, fixed.out_features, bias=fixed.bias is not None))


class Sa2VAModel(PreTrainedModel):
    """Sa2VA with the official call `predict_forward`."""

    config_class = Sa2VAConfig
    base_model_prefix = ""
    main_input_name = "pixel_values"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = [
        "InternVLVisionLayer",
        "Qwen2DecoderLayer",
        "Qwen3DecoderLayer",
        "LlamaDecoderLayer",
        "Sam2MultiScaleBlock",
        "Sam2VideoTwoWayAttentionBlock",
    ]
    _tied_weights_keys = (
        {"language_model.lm_head.weight": "language_model.model.embed_tokens.weight"}
        if int(transformers.__version__.split(".")[0]) >= 5
        else ["language_model.lm_head.weight"]
    )

    def __init__(self, config: Sa2VAConfig):
        super().__init__(config)
        self.vision_tower = AutoModel.from_config(config.vision_config)
        _set_query_key_epsilon(self.vision_tower, config.vision_config.layer_norm_eps)
        self.multi_modal_projector = InternVLMultiModalProjector(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        sam2_config = sam2_video_config(config.sam2_sizes)
        # Flash attention takes no additive masks, which SAM2's memory needs.
        uses_flash = "flash" in str(config._attn_implementation)
        sam2_config._attn_implementation = "sdpa" if uses_flash else config._attn_implementation
        self.sam2 = Sam2VideoModel(sam2_config)
        _fit_memory_width(self.sam2, config.sam2_sizes.mem_dim)
        self.seg_projection = SegProjection(config.hidden_size, config.sam2_sizes.d_model)
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As in transformers; on version 4, which would take float32 silently, a call without a dtype warns."""
        asked = kwargs.get("dtype", kwargs.get("torch_dtype"))
        if asked is None and int(transformers.__version__.split(".")[0]) < 5:
            _warn_of_float32(pretrained_model_name_or_path)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def get_input_embeddings(self):
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value):
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self):
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, value):
        self.language_model.set_output_embeddings(value)

    def encode_tiles(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Image tokens of normalised tiles: (T, 3, 448, 448) -> (T, K, H)."""
        states = self.vision_tower(pixel_values=pixel_values).last_hidden_state[:, 1:]  # without the class token
        side = int(states.shape[1] ** 0.5)
        grid = pixel_shuffle(states.reshape(len(states), side, side, -1), self.config.downsample_ratio)
        return self.multi_modal_projector(grid.flatten(1, 2))

    def embed_prompt(self, input_ids: torch.Tensor, visual_tokens: torch.Tensor | None) -> torch.Tensor:
        """Embeddings of a prompt, image placeholders replaced in order.

        Args:
            input_ids: (N,) int64.
            visual_tokens: (M, H) for the M placeholders in the prompt; None without an image.
        Returns:
            (1, N, H).
        Raises:
            ValueError: where M differs from the number of placeholders.
        """
        embeddings = self.get_input_embeddings()(input_ids)
        if visual_tokens is not None:
            places = input_ids == self.config.token_ids[IMAGE_CONTEXT]
            if int(places.sum()) != len(visual_tokens):
                raise ValueError(
                    f"the prompt holds {int(places.sum())} {IMAGE_CONTEXT} tokens, the image gives "
                    f"{len(visual_tokens)}; past_text must hold the same image, written out once"
                )
            embeddings = embeddings.clone()
            embeddings[places] = visual_tokens.to(embeddings)
        return embeddings[None]

    def answer(self, prompt_embeddings: torch.Tensor, tokenizer, token_limit: int) -> Answer:
        """Greedy answer to one prompt, (1, N, H); see `answers`."""
        return self.answers([prompt_embeddings[0]], tokenizer, token_limit)[0]

    def answers(
        self, prompts: list[torch.Tensor], tokenizer, token_limit: int, drafts: list[list[int]] | None = None
    ) -> list[Answer]:
        """Greedy answers to prompts of any lengths, (N, H) each, computed together; see `GreedyDecoding.answers`."""
        decoding = GreedyDecoding(
            self.language_model,
            self.config.token_ids["[SEG]"],
            lambda token_ids: self._ends(token_ids, tokenizer),
            token_limit,
        )
        return decoding.answers(prompts, drafts)

    def _ends(self, token_ids: list[int], tokenizer) -> bool:
        if token_ids[-1] == tokenizer.eos_token_id:
            return True
        text = tokenizer.decode(token_ids).replace("\r", "").replace("\n", "")
        return any(text.endswith(word) for word in self.config.stop_words)

    def encode_sam2(self, pixel_values: torch.Tensor) -> Sam2Features:
        """SAM2's image encoder: (B, 3, 1024, 1024) -> features of the B images."""
        stride_4, stride_8, stride_16 = self.sam2.get_image_embeddings(pixel_values)
        return Sam2Features(stride_16, (stride_4, stride_8))

    def decode_masks(
        self, features: Sam2Features, seg_states: torch.Tensor, image_index: torch.Tensor | None = None
    ) -> MaskLogits:
        """Masks of (S, H) hidden states, all in one pass of the decoder.

        Args:
            features: of B images.
            image_index: (S,) int64, the image that each `[SEG]` is about; None where B is 1.
        """
        found = self.decode_candidates(features, seg_states, image_index)
        return MaskLogits(found.logits[found.best].float(), found.predicted_iou, found.object_score)

    def decode_candidates(
        self, features: Sam2Features, seg_states: torch.Tensor, image_index: torch.Tensor | None = None
    ) -> Candidates:
        """All three masks for each `[SEG]`, of which `decode_masks` takes the best. Arguments as there."""
        prompts = self.seg_projection(seg_states)
        if image_index is None:
            image_index = torch.zeros(len(prompts), dtype=torch.long, device=prompts.device)
        high_resolution = tuple(level[image_index] for level in features.high_resolution)
        return decode(self.sam2, features.embedding[image_index], high_resolution, prompts)

    def tracker(self, seg_states: torch.Tensor) -> Tracker:
        """What follows the objects of (S, H) hidden states through a sequence."""
        return Tracker(self.sam2, self.seg_projection(seg_states))

    def _checked_limit(self, tokenizer, token_limit: int | None) -> int:
        """Most tokens of an answer. Raises ValueError where it is below 1 or the tokenizer is not the model's own."""
        if tokenizer is None:
            raise ValueError("tokenizer: expected AutoTokenizer.from_pretrained(<the model's folder>), got None")
        strays = {token: tokenizer.convert_tokens_to_ids(token) for token in self.config.token_ids}
        if strays != dict(self.config.token_ids):
            raise ValueError(
                f"tokenizer: its ids {strays} differ from the model's {self.config.token_ids}; use the folder's own"
            )
        limit = self.config.answer_token_limit if token_limit is None else token_limit
        if limit < 1:
            raise ValueError(f"max_new_tokens: expected at least 1, got {limit}")
        return limit

    def predict(
        self, image=None, text="", past_text="", mask_prompts=None, tokenizer=None, token_limit=None
    ) -> Prediction:
        """One answer with its masks; `predict_forward` wraps it in the official return value.

        Args:
            image: PIL image of any mode, as it was opened, or None for a text-only call; see `given_as_rgb`.
            text: the user's words.
            past_text: earlier turns, written out; the same image must be given again.
            mask_prompts: region prompts, see `region_cells`.
            tokenizer: that of the model's own folder.
            token_limit: most tokens of the answer; None takes the config's.
        """
        config = self.config
        limit = self._checked_limit(tokenizer, token_limit)
        if image is not None and not isinstance(image, Image.Image):
            raise ValueError(f"image: expected a PIL image, got {type(image).__name__}; open it with PIL.Image.open")
        if image is None and IMAGE_CONTEXT in past_text:
            raise ValueError("past_text holds an image, and image is None; give the same image again")
        if image is None and mask_prompts is not None:
            raise ValueError("mask_prompts: regions need an image, and image is None")
        visual_tokens, image_tokens, region_tokens = None, None, ""
        if image is not None:
            (image,) = given_as_rgb([image])
            tiles = cut_tiles(image, config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail)
            image_tokens = image_text(len(tiles), config.tokens_per_tile)
            encoded = self.encode_tiles(tile_pixels(tiles).to(self.device, self.dtype))
            visual_tokens = encoded.flatten(0, 1)
            if mask_prompts is not None:
                cells = region_cells(mask_prompts, int(config.tokens_per_tile**0.5))
                region_tokens = region_text(cells)
                last_tile = encoded[-1]  # the thumbnail, or the only tile
                rows = [last_tile[region.flatten().to(last_tile.device)] for region in cells]
                visual_tokens = torch.cat([visual_tokens, *rows])
        prompt = build_prompt(text, past_text, config.instruction, image_tokens, region_tokens)
        input_ids = torch.tensor(tokenizer.encode(prompt), device=self.device)
        answer = self.answer(self.embed_prompt(input_ids, visual_tokens), tokenizer, limit)
        words = tokenizer.decode(answer.token_ids, skip_special_tokens=False).strip()
        if image is None or not len(answer.seg_states):
            height, width = (0, 0) if image is None else (image.height, image.width)
            return Prediction(words, answer, None, torch.zeros((0, height, width)))
        side = config.sam2_sizes.image_size
        pixels = sam2_pixels(image, side, config.sam2_pixel_constants, self.dtype).to(self.device)
        masks = self.decode_masks(self.encode_sam2(pixels), answer.seg_states)
        logits = upsample_logits(masks.low_resolution, side, image.height, image.width)
        return Prediction(words, answer, masks, logits)

    @torch.inference_mode()
    def predict_forward(
        self,
        image=None,
        video=None,
        text=None,
        past_text="",
        mask_prompts=None,
        tokenizer=None,
        processor=None,
        max_new_tokens=None,
    ) -> dict:
        """The official call.

        Args:
            image: PIL image of any mode, as `PIL.Image.open` gives it: 16-bit grey is scaled, 8-bit grey kept. Warns
                where the depth is a guess, and where the image holds nothing to segment.
            video: PIL images of any mode and of one size, in place of `image`; deep grey has one depth in all. The
                language model sees the first five, SAM2 is prompted on these and follows the others.
            text: the request; `<image>` is put in front where it is missing.
            past_text, mask_prompts, tokenizer: see `predict`.
            processor: ignored, kept for calls written for the official models.
            max_new_tokens: most tokens of the answer; None takes the config's.
        Returns:
            `prediction`: the answer, special tokens included. `prediction_masks`: one numpy bool (n, H, W) for each
            `[SEG]`, with n frames, 1 for an image. `prediction_logits`: the float32 logits of the same shapes, of
            which the masks are sigmoid > 0.5.
        """
        if video is None:
            found = self.predict(image, text or "", past_text, mask_prompts, tokenizer, max_new_tokens)
            frames = found.logits[:, None]
        elif image is not None or mask_prompts is not None:
            raise ValueError("video: goes with neither image nor mask_prompts; leave them out")
        else:
            limit = self._checked_limit(tokenizer, max_new_tokens)
            found = predict_video(self, video, text or "", past_text, tokenizer, limit)
            frames = found.logits
        masks = (frames.sigmoid() > 0.5).cpu().numpy()
        logits = frames.cpu().numpy().astype(np.float32, copy=False)
        return {
            "prediction": found.text,
            "prediction_masks": list(masks),
            "prediction_logits": list(logits),
        }


def _warn_of_float32(folder) -> None:
    """Say what a load without a dtype costs, where the folder's weights are narrower than float32."""
    config = os.path.join(str(folder), "config.json")
    if not os.path.isfile(config):
        return
    with open(config, encoding="utf-8") as file:
        stored = json.load(file).get("dtype")
    if stored not in ("bfloat16", "float16"):
        return
    weights = [name for name in os.listdir(str(folder)) if name.endswith(".safetensors")]
    stored_bytes = sum(os.path.getsize(os.path.join(str(folder), name)) for name in weights)
    logger.warning(
        f"loading {stored} weights as float32, {2 * stored_bytes / 1e9:.3g} GB instead of {stored_bytes / 1e9:.3g} GB; "
        f"pass dtype=torch.{stored} to from_pretrained"
    )


Sa2VAModel.register_for_auto_class("AutoModel")
