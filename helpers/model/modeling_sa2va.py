"""Sa2VA on transformers' own modules: a vision-language model behind its bridge, and SAM 2.0.

Only the glue is written here: greedy answering that keeps the hidden states of `[SEG]`, and the SAM2 decoder prompted
by them. Shapes in comments: T tiles, K tokens a tile, N rows of a prompt, H language width, S number of `[SEG]`, D SAM2
width.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel, Sam2VideoModel

from .bridge import bridge_for
from .bridge_internvl import encode_tiles
from .bridge_qwen_vl import encode_pictures
from .components import CallOutput, MaskLogits, Sam2Features, SegProjection, fit_memory_width
from .configuration_sa2va import Sa2VAConfig
from .device_pixels import DevicePixels
from .drafts import Drafts
from .forward_call import answered
from .generation import GeneratedText, GreedyDecoding
from .given_image import require_kind
from .image_call import predict_image
from .language_pass import LanguagePass
from .mask_decoding import Candidates, decode
from .official_calls import (
    INSTEAD,
    in_order,
    instead_of,
    require_one_device,
    say_once,
    texts_for,
    warn_of_float32,
    without_flash,
)  # fmt: skip
from .own_graphs import OwnGraphs
from .processing_sa2va import IMAGE_CONTEXT
from .prompt import Prompt
from .sam2_fast_path import unused_ops_skipped
from .sam2_sizes import sam2_video_config
from .tracking import Tracker, TrackingPasses

if TYPE_CHECKING:  # transformers 4 takes along only the files that this one names: here, those that others import
    from .answer_text import plain_text  # noqa: F401
    from .graphed_model import GraphedModel  # noqa: F401
    from .image_depth import Depth  # noqa: F401
    from .image_file import upright  # noqa: F401
    from .image_mode import given_as_rgb  # noqa: F401
    from .image_stacks import is_in_planes  # noqa: F401
    from .memory_fast_path import faster_memory  # noqa: F401
    from .qwen_pixels import PixelSettings  # noqa: F401
    from .qwen_towers import Qwen3VLTower  # noqa: F401
    from .readback import Readback  # noqa: F401
    from .replay import GraphPool  # noqa: F401
    from .resizing import Resizes  # noqa: F401
    from .segmentation_pipeline import Sa2VASegmentation  # noqa: F401
    from .video import SequenceFeatures  # noqa: F401


class Sa2VAModel(PreTrainedModel):
    """Sa2VA with the official call `predict_forward`."""

    config_class = Sa2VAConfig
    if TYPE_CHECKING:
        config: Sa2VAConfig
    base_model_prefix = ""
    main_input_name = "pixel_values"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = [
        "InternVLVisionLayer", "Qwen2DecoderLayer", "Qwen3DecoderLayer", "LlamaDecoderLayer", "Qwen2_5VLBlock",
        "Qwen2_5_VLDecoderLayer", "Qwen3VLBlock", "Qwen3VLTextDecoderLayer", "Sam2MultiScaleBlock",
        "Sam2VideoTwoWayAttentionBlock",
    ]  # fmt: skip
    aside = None  # see `GraphedModel`
    _tied_weights_keys: Any = (
        {"language_model.lm_head.weight": "language_model.model.embed_tokens.weight"}
        if int(transformers.__version__.split(".")[0]) >= 5
        else ["language_model.lm_head.weight"]
    )

    def __init__(self, config: Sa2VAConfig):
        super().__init__(config)
        self.bridge = bridge_for(config)
        for name, module in self.bridge.modules().items():
            self.add_module(name, module)
        sam2_config = sam2_video_config(config.sam2_sizes)
        # Flash attention takes no additive masks, which SAM2's memory needs.
        uses_flash = "flash" in str(config._attn_implementation)
        sam2_config._attn_implementation = "sdpa" if uses_flash else config._attn_implementation
        self.sam2 = Sam2VideoModel(sam2_config)
        fit_memory_width(self.sam2, config.sam2_sizes.mem_dim)
        self.seg_projection = SegProjection(config.hidden_size, config.sam2_sizes.d_model)
        self.drafts, self.pixels, self.graphs = Drafts(), DevicePixels(), OwnGraphs()
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As in transformers; on version 4, which would take float32 silently, a call without a dtype warns.

        `use_flash_attn`, which the official models take, is said to have no effect.
        """
        without_flash(kwargs)
        asked = kwargs.get("dtype", kwargs.get("torch_dtype"))
        if asked is None and int(transformers.__version__.split(".")[0]) < 5:
            warn_of_float32(pretrained_model_name_or_path)
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    def train(self, mode: bool = True) -> Any:
        """As in PyTorch; graphs give their memory back."""
        if mode:
            self.graphs.drop()
        return super().train(mode)

    def _apply(self, *arguments: Any, **options: Any) -> Any:  # what `.to()`, `.half()` and the like come down to
        self.graphs.drop()
        return super()._apply(*arguments, **options)

    def get_input_embeddings(self) -> Any:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: Any) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, value: Any) -> None:
        self.language_model.set_output_embeddings(value)

    def encode_tiles(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Image tokens of normalised tiles, of an InternVL: (T, 3, 448, 448) -> (T, K, H)."""
        return encode_tiles(self, pixel_values)

    def encode_pictures(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Image tokens of pictures, of a Qwen family: uint8 (n, 3, h, w) -> (M, H), and levels of the same shape."""
        return encode_pictures(self, pixels)

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
                    f"prompt: expected {len(visual_tokens)} {IMAGE_CONTEXT} tokens, as the image gives, got "
                    f"{int(places.sum())}. Give the image that past_text holds, and write it out there once"
                )
            embeddings = embeddings.clone()
            embeddings[places] = visual_tokens.to(embeddings)
        return embeddings[None]

    def answer(self, prompt: torch.Tensor | Prompt, tokenizer: Any, token_limit: int) -> GeneratedText:
        """Greedy answer to one prompt; see `answers`."""
        return self.answers([prompt], tokenizer, token_limit)[0]

    def answers(
        self,
        prompts: Sequence[torch.Tensor | Prompt],
        tokenizer: Any,
        token_limit: int,
        drafts: list[list[int]] | None = None,
    ) -> list[GeneratedText]:
        """Greedy answers to prompts of any lengths, computed together; see `GreedyDecoding.answers`."""
        decoding = GreedyDecoding(
            self.language_model,
            self.config.token_ids["[SEG]"],
            lambda token_ids: self.bridge.ends(token_ids, tokenizer),
            token_limit,
            self.language_pass(),
        )
        return decoding.answers(prompts, drafts)

    def language_pass(self) -> LanguagePass:
        """What runs the language model's layers, and keeps the states that count at a `[SEG]`."""
        return LanguagePass(self.language_model.model, self.bridge.seg_state)

    def encode_sam2(self, pixel_values: torch.Tensor) -> Sam2Features:
        """SAM2's image encoder: (B, 3, 1024, 1024) -> features of the B images."""
        with unused_ops_skipped(self.sam2.vision_encoder):
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

    @property
    def tracking(self) -> TrackingPasses:
        """What trackers compute."""
        return TrackingPasses(self.sam2)

    def tracker(self, seg_states: torch.Tensor) -> Tracker:
        """What follows the objects of (S, H) hidden states through a sequence."""
        return Tracker(self.sam2, self.seg_projection(seg_states))

    def __getattr__(self, name: str) -> Any:
        """What the official models have beside `predict_forward` is answered with what to call, see `INSTEAD`.

        No methods: transformers would make a class with a method `generate` another class, one that can generate.
        """
        if name in INSTEAD:
            raise AttributeError(instead_of(name))
        return super().__getattr__(name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: names the call that takes its place."""
        raise NotImplementedError(instead_of("forward"))

    def predict(self, image: Any = None, text: str = "", *arguments: Any, **options: Any) -> CallOutput:
        """One answer with its masks, see `predict_image`; `predict_forward` wraps it in the official return value."""
        return predict_image(self, image, text, *arguments, **options)

    @torch.inference_mode()
    def predict_forward(
        self,
        image: Any = None,
        video: Any = None,
        text: Any = None,
        past_text: str = "",
        mask_prompts: Any = None,
        tokenizer: Any = None,
        processor: Any = None,
        max_new_tokens: int | None = None,
        draft: bool = True,
        cuda_graphs: bool = True,
    ) -> Any:
        """The official call.

        Args:
            image: a PIL image of any mode, best as `PIL.Image.open` gives it, a path, or a numpy uint8 array, see
                `one_picture`: 16-bit grey is scaled, 8-bit grey kept. Warns where the depth is a guess, where the EXIF
                orientation turns it, and where it holds nothing to segment. A list of images
                gives a list of results, one a call.
            video: a list of such images, of one size, in place of `image`; deep grey has one depth in all. The
                language model sees the first five, SAM2 is prompted on these and follows the others.
            text: the request, best as in training: `<image>`, a line break and the words. Where it is missing, the
                InternVL family puts it in front; the Qwen families read the bare words, which is another prompt to
                them. For a list of images one for all, or a list with one for each. It may come second in place, and
                the tokenizer third: (image, text, tokenizer).
            past_text, mask_prompts, tokenizer: see `predict_image`.
            processor: without effect, which is said once; kept for calls written for the official models.
            max_new_tokens: most tokens of the answer; None takes the config's.
            draft: in narrower dtypes than float32, the last answer to the same words is read behind the
                prompt, and one pass confirms it in place of one for each token. The tokens are those without it.
                False goes token by token, as float32 always does.
            cuda_graphs: on a GPU, in narrower dtypes than float32, what comes for the third time in the same sizes is
                captured and replayed: that call is slower, later ones are faster, and last bits of an image's logits
                may be others. Each part of the model holds up to 24 sets of sizes. They are dropped where a weight, a
                module or a mode of the model was changed, at `.to()` and `.train()`, where memory is wanting, and by
                `model.graphs.drop()`. False launches every operation, and makes none.
        Returns:
            `prediction`: the answer, special tokens included. `prediction_masks`: one numpy bool (n, H, W) for each
            `[SEG]`, with n frames, 1 for an image. `prediction_logits`: the float32 logits of the same shapes, of
            which the masks are sigmoid > 0.5.
        Raises:
            ValueError: in one line, where an argument is not what is expected, the model is spread over several
                devices, or its numbers overflow their dtype.
        """
        video, text, tokenizer = in_order(image, video, text, tokenizer)
        if processor is not None:
            say_once("processor: has no effect, since the model prepares its images itself. It needs the tokenizer")
        if not cuda_graphs:
            require_one_device(self)  # else `graphs.around` asks, and only where something has changed
        texts = texts_for(image, text)
        if video is not None and (image is not None or mask_prompts is not None):
            raise ValueError("video: expected neither image nor mask_prompts beside it. Leave them out")
        if texts is not None:
            if past_text or mask_prompts is not None:
                raise ValueError(
                    "image: expected neither past_text nor mask_prompts beside a list. Give its images one by one"
                )
            for number, one in enumerate(image, 1):
                require_kind(one, f"image {number} of {len(image)}")
            return [
                self.predict_forward(
                    one,
                    text=words,
                    tokenizer=tokenizer,
                    max_new_tokens=max_new_tokens,
                    draft=draft,
                    cuda_graphs=cuda_graphs,
                )
                for one, words in zip(image, texts, strict=True)
            ]
        words, frames, is_finite, masks = answered(
            self,
            image,
            video,
            text or "",
            past_text,
            mask_prompts,
            tokenizer,
            max_new_tokens,
            draft,
            cuda_graphs=cuda_graphs,
        )
        if not is_finite:
            raise ValueError(
                f"the masks hold values that are not finite: the model overflows {self.dtype}. Load it with "
                "dtype=torch.bfloat16 or torch.float32"
            )
        logits = frames.cpu().numpy().astype(np.float32, copy=False)
        return {
            "prediction": words,
            "prediction_masks": list(masks.numpy()),
            "prediction_logits": list(logits),
        }


Sa2VAModel.register_for_auto_class("AutoModel")
