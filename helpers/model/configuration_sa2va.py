"""Configuration of a Sa2VA model in the vesselkit export format, version 2 (docs/export-format.md)."""

from enum import Enum
from typing import Any

import transformers
from transformers import CONFIG_MAPPING, AutoConfig, InternVLVisionConfig, PretrainedConfig
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLVisionConfig

from .sam2_sizes import PRESETS, Sam2Sizes

FORMAT_VERSION = 2
_READ_VERSIONS = (1, FORMAT_VERSION)  # the first had InternVL alone, and no name for it
SPECIAL_TOKENS = ("[SEG]", "<p>", "</p>", "<vp>", "</vp>")


class Family(str, Enum):  # noqa: UP042 - exported code runs on Python 3.10 too, which has no StrEnum
    """The vision-language models within Sa2VA."""

    INTERNVL = "internvl"
    QWEN2_5_VL = "qwen2_5_vl"
    QWEN3_VL = "qwen3_vl"


# transformers' `model_type` of the language models that each family may have.
LANGUAGE_MODELS = {
    Family.INTERNVL: ("qwen2", "qwen3", "llama"),
    Family.QWEN2_5_VL: ("qwen2_5_vl_text",),
    Family.QWEN3_VL: ("qwen3_vl_text",),
}
_VISION_CONFIGS = {
    Family.INTERNVL: InternVLVisionConfig,
    Family.QWEN2_5_VL: Qwen2_5_VLVisionConfig,
    Family.QWEN3_VL: Qwen3VLVisionConfig,
}

# Mean and standard deviation of a picture's channels, on values from 0 to 1, that a Qwen family was trained with.
_PIXEL_STATISTICS = {
    Family.QWEN2_5_VL: ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    Family.QWEN3_VL: ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}

# Fields of config.json that belong to some families alone.
_OF_INTERNVL = (
    "downsample_ratio", "ps_version", "select_layer", "tile_size", "min_tiles", "max_tiles", "use_thumbnail",
    "sentencepiece_ids",
)  # fmt: skip
_OF_QWEN_VL = ("least_pixels", "most_pixels", "pixel_mean", "pixel_std")

_CHATML = "<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n"
# name -> (instruction around one user turn, words that end an answer)
TEMPLATES = {
    "qwen_chat": (_CHATML, ("<|im_end|>", "<|endoftext|>")),
    "internlm2_chat": (_CHATML, ("<|im_end|>",)),
    "llama3_chat": (
        "<|start_header_id|>user<|end_header_id|>\n\n{input}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|eot_id|>",),
    ),
    # Also with language models whose tokenizer has none of these words: they are then plain text.
    "phi3_chat": ("<|user|>\n{input}<|end|>\n<|assistant|>\n", ("<|end|>",)),
}

_ROPE_KEYS = ("rope_theta", "rope_scaling", "rope_parameters")
# How the parts of a head share positions in time, rows and columns: no scaling, and kept beside it.
_SHARES = ("mrope_section", "mrope_interleaved")
_UNSCALED = ("default", "mrope")  # the second is what the published Qwen2.5-VL call it


def rope_settings(text: dict) -> tuple[float, dict | None]:
    """The rotary settings of a language model config, from either spelling: (theta, scaling or None).

    Up to transformers 4 they are `rope_theta` and `rope_scaling`; from 5 on both live in `rope_parameters`.
    """
    merged = {**(text.get("rope_scaling") or {}), **(text.get("rope_parameters") or {})}
    theta = float(merged.pop("rope_theta", None) or text.get("rope_theta") or 10000.0)
    kind = merged.pop("rope_type", None) or merged.get("type") or "default"
    merged.pop("type", None)
    if kind not in _UNSCALED:
        return theta, {"rope_type": kind, **merged}
    shares = {name: merged[name] for name in _SHARES if name in merged}
    return theta, {"rope_type": "default", **shares} if shares else None


def portable_text_config(text: dict) -> dict:
    """A language model config with its rotary settings in both spellings, so that transformers 4 and 5 agree.

    Each major version silently falls back to a theta of 10000 when it finds only the other's spelling.
    """
    theta, scaling = rope_settings(text)
    portable = {name: value for name, value in text.items() if name not in _ROPE_KEYS}
    return {
        **portable,
        "rope_theta": theta,
        "rope_scaling": scaling,
        "rope_parameters": {"rope_type": "default", **(scaling or {}), "rope_theta": theta},
    }


def build_text_config(text: dict, family: Family = Family.INTERNVL) -> PretrainedConfig:
    """The transformers config of the language model; `text` holds `model_type` and the model's own fields."""
    portable = portable_text_config(text)
    model_type = portable.pop("model_type", None)
    if model_type not in LANGUAGE_MODELS[family]:
        raise ValueError(f"text_config.model_type: expected one of {LANGUAGE_MODELS[family]}, got {model_type!r}")
    modern = int(transformers.__version__.split(".")[0]) >= 5
    for name in ("rope_theta", "rope_scaling") if modern else ("rope_parameters",):
        portable.pop(name)
    return CONFIG_MAPPING[model_type](**portable)


def build_vision_config(vision: dict, family: Family) -> PretrainedConfig:
    """The transformers config of the vision tower from its fields."""
    fields = {name: value for name, value in vision.items() if name != "model_type"}
    if family is Family.INTERNVL:
        fields = {"use_mean_pooling": True, **fields}
    return _VISION_CONFIGS[family](**fields)


class Sa2VAConfig(PretrainedConfig):
    """All that is needed to build the model, its prompts and its inputs; every field has a documented default.

    Args:
        family: a value of `Family`; None, as in format version 1, is InternVL.
        vision_config: fields of transformers' InternVLVisionConfig, Qwen2_5_VLVisionConfig or Qwen3VLVisionConfig.
        text_config: fields of the language model's config, with `model_type`.
        sam2_config: name of a preset, or the fields of `Sam2Sizes`.
        template, instruction, stop_words: the chat format; the last two default to those of the named template.
        special_tokens: tokens added for Sa2VA, in the order of their ids.
        token_ids: ids of the tokens that the forward path looks for; None until the tokenizer is known.
        ps_version: pixel shuffle of the vision tokens; only 'v2' is implemented by transformers' InternVL.
        tile_size, min_tiles, max_tiles, use_thumbnail: tiling of the image for the vision tower of an InternVL.
        sentencepiece_ids: how many ids sentencepiece knows, where the text of an answer has blanks beside special
            tokens, as the tokenizer of InternLM2 writes it; None where it has none.
        least_pixels, most_pixels: of a picture, once it is resized for the vision tower of a Qwen family.
        pixel_mean, pixel_std: of its channels there, on values from 0 to 1; None is those of its family.
        answer_token_limit: most tokens of one answer. (`max_new_tokens` is dropped from configs by transformers 5.)
        sam2_pixel_constants: 'bf16_rounded' uses the official normalisation constants, which are rounded to
            bfloat16 whatever the dtype; 'exact' uses ImageNet's. Trained models expect 'bf16_rounded' at inference.
    """

    model_type = "sa2va"
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig}

    def __init__(
        self,
        vision_config: Any = None,
        text_config: Any = None,
        sam2_config: Any = "hiera_l",
        template: Any = "qwen_chat",
        instruction: Any = None,
        stop_words: Any = None,
        special_tokens: Any = SPECIAL_TOKENS,
        token_ids: Any = None,
        downsample_ratio: Any = 0.5,
        ps_version: Any = "v2",
        select_layer: Any = -1,
        tile_size: Any = 448,
        min_tiles: Any = 1,
        max_tiles: Any = 12,
        use_thumbnail: Any = True,
        answer_token_limit: Any = 2048,
        sam2_pixel_constants: Any = "bf16_rounded",
        family: Any = None,
        sentencepiece_ids: Any = None,
        least_pixels: Any = 512 * 28 * 28,
        most_pixels: Any = 2048 * 28 * 28,
        pixel_mean: Any = None,
        pixel_std: Any = None,
        sa2va_format_version: Any = FORMAT_VERSION,
        tie_word_embeddings: Any = False,
        **kwargs: Any,
    ) -> None:
        if sa2va_format_version not in _READ_VERSIONS:
            raise ValueError(
                f"sa2va_format_version: this code reads {' and '.join(map(str, _READ_VERSIONS))}, the folder says "
                f"{sa2va_format_version}; load it with the code files of its own folder (trust_remote_code=True)"
            )
        if family is not None and family not in [one.value for one in Family]:
            raise ValueError(f"family: expected one of {[one.value for one in Family]}, got {family!r}")
        family = Family.INTERNVL if family is None else Family(family)
        if ps_version != "v2" or select_layer != -1:
            raise ValueError(
                f"expected ps_version 'v2' and select_layer -1, got {ps_version!r} and {select_layer}: "
                "transformers' InternVL computes only these"
            )
        if sam2_pixel_constants not in ("bf16_rounded", "exact"):
            raise ValueError(f"sam2_pixel_constants: expected 'bf16_rounded' or 'exact', got {sam2_pixel_constants!r}")
        if template not in TEMPLATES and (instruction is None or stop_words is None):
            raise ValueError(f"template: expected one of {sorted(TEMPLATES)}, got {template!r}")
        if isinstance(vision_config, dict) or vision_config is None:
            vision_config = build_vision_config(vision_config or {}, family)
        if isinstance(text_config, dict) or text_config is None:
            text_config = build_text_config(text_config or {"model_type": LANGUAGE_MODELS[family][0]}, family)
        sizes = PRESETS.get(sam2_config) if isinstance(sam2_config, str) else Sam2Sizes.from_dict(sam2_config)
        if sizes is None:
            raise ValueError(f"sam2_config: expected one of {sorted(PRESETS)} or sizes, got {sam2_config!r}")
        text_config.tie_word_embeddings = tie_word_embeddings
        named = TEMPLATES.get(template, (instruction, stop_words))

        self.family = family.value
        self.vision_config = vision_config
        self.text_config = text_config
        self.sam2_config = sizes.to_dict()
        self.template = template
        self.instruction = instruction if instruction is not None else named[0]
        self.stop_words = list(stop_words if stop_words is not None else named[1])
        self.special_tokens = list(special_tokens)
        self.token_ids = token_ids
        self.downsample_ratio = downsample_ratio
        self.ps_version = ps_version
        self.select_layer = select_layer
        self.tile_size = tile_size
        self.min_tiles = min_tiles
        self.max_tiles = max_tiles
        self.use_thumbnail = use_thumbnail
        self.answer_token_limit = answer_token_limit
        self.sam2_pixel_constants = sam2_pixel_constants
        self.sentencepiece_ids = sentencepiece_ids
        self.least_pixels = least_pixels
        self.most_pixels = most_pixels
        mean, std = _PIXEL_STATISTICS.get(family, ((), ()))
        self.pixel_mean = list(mean if pixel_mean is None else pixel_mean)
        self.pixel_std = list(std if pixel_std is None else pixel_std)
        self.sa2va_format_version = FORMAT_VERSION
        kwargs["tie_word_embeddings"] = tie_word_embeddings
        super().__init__(**kwargs)

    @property
    def sam2_sizes(self) -> Sam2Sizes:
        return Sam2Sizes.from_dict(self.sam2_config)

    @property
    def projector_hidden_act(self) -> str:
        """Activation of the projector; constant in every InternVL."""
        return "gelu"

    @property
    def hidden_size(self) -> int:
        """Width of the language model's hidden states, in channels."""
        return self.text_config.hidden_size

    @property
    def tokens_per_tile(self) -> int:
        """Number of image tokens that one tile becomes."""
        patches = self.tile_size // self.vision_config.patch_size[0]
        return int(patches * self.downsample_ratio) ** 2

    def to_dict(self) -> dict:
        """The JSON object of config.json: fields of the own family, with both spellings of the rotary settings."""
        others = _OF_QWEN_VL if self.family == Family.INTERNVL.value else _OF_INTERNVL
        values = {name: value for name, value in super().to_dict().items() if name not in others}
        values["text_config"] = portable_text_config(values["text_config"])
        return values

    def to_diff_dict(self) -> dict:
        """The same as `to_dict`: defaults differ between versions of transformers, so all fields are written."""
        return self.to_dict()


Sa2VAConfig.register_for_auto_class()
