"""Names and shapes of Sa2VA on Qwen2.5-VL-3B and 7B with Hiera-L, as the official tools store them. No values."""

from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.convert.key_map import SAM2
from helpers.checkpoints.convert.model_config import native_config, target_shapes
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from tests.support.real_sizes import Shapes, once, sam2_shapes

VOCABULARY, RANK = 151670, 128
BLOCKS, VISION, VISION_INNER = 32, 1280, 3420
_WRAPPED = "mllm.model.base_model.model."


@dataclass(frozen=True)
class Qwen25VLSizes:
    """One of the two models: sizes of its language model, and rows and head of the published base."""

    width: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    base_rows: int
    tied: bool

    @property
    def base_config(self) -> dict:
        """The published base's config.json, which is flat."""
        return {
            "model_type": "qwen2_5_vl", "hidden_size": self.width, "intermediate_size": self.inner,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_heads, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "max_position_embeddings": 128000,
            "eos_token_id": 151645, "use_sliding_window": False, "sliding_window": 32768,
            "tie_word_embeddings": self.tied, "vocab_size": self.base_rows,
            "vision_config": {
                "depth": BLOCKS, "hidden_act": "silu", "hidden_size": VISION, "in_chans": 3,
                "intermediate_size": VISION_INNER, "num_heads": 16, "out_hidden_size": self.width, "patch_size": 14,
                "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2, "window_size": 112,
                "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
            },
        }  # fmt: skip

    @once
    def native_shapes(self) -> Shapes:
        """Every tensor of the native model."""
        ids = {token: VOCABULARY - len(SPECIAL_TOKENS) + place for place, token in enumerate(SPECIAL_TOKENS)}
        tokenizer = TokenizerFacts(VOCABULARY, ids, SPECIAL_TOKENS, 151645, 151643, instruction="{input}")
        origin = Path("config.json")
        config = native_config(
            self.base_config, origin, "hiera_l", "qwen_chat", SPECIAL_TOKENS, tokenizer, False, "bfloat16"
        )
        return target_shapes(config)

    def export_shapes(self) -> Shapes:
        """Every tensor of the official export, by the newer names."""
        shapes = _under("model.model.visual.", self._tower()) | _under("model.model.language_model.", self._layers())
        shapes |= {
            "model.model.language_model.embed_tokens.weight": (VOCABULARY, self.width),
            "model.lm_head.weight": (VOCABULARY, self.width),
            "text_hidden_fcs.0.weight": (self.width, self.width),
            "text_hidden_fcs.0.bias": (self.width,),
            "text_hidden_fcs.2.weight": (256, self.width),
            "text_hidden_fcs.2.bias": (256,),
        }
        return shapes | {SAM2 + name.replace(".gamma", ".g_weight"): shape for name, shape in sam2_shapes().items()}

    def base_shapes(self) -> Shapes:
        """The published base, by the older names; one that ties its head stores none."""
        shapes = _under("visual.", self._tower()) | _under("model.", self._layers())
        shapes["model.embed_tokens.weight"] = (self.base_rows, self.width)
        return shapes if self.tied else shapes | {"lm_head.weight": (self.base_rows, self.width)}

    def partial_shapes(self) -> Shapes:
        """The partial checkpoint of a LoRA run, whose LoRA wraps the whole vision-language model."""
        shapes: Shapes = {}
        for name, shape in self.export_shapes().items():
            stem = _WRAPPED + name.removeprefix("model.").removesuffix(".weight")
            if name.endswith(("embed_tokens.weight", "lm_head.weight")):
                shapes[f"{stem}.modules_to_save.default.weight"] = shape
            elif ".language_model." in name and name.endswith("_proj.weight"):
                shapes[f"{stem}.lora_A.default.weight"] = (RANK, shape[1])
                shapes[f"{stem}.lora_B.default.weight"] = (shape[0], RANK)
            elif name.startswith((SAM2 + "sam_mask_decoder.", "text_hidden_fcs.")):
                shapes[name] = shape
        return shapes

    def _tower(self) -> Shapes:
        """The vision tower and its merger."""
        shapes: Shapes = {
            "patch_embed.proj.weight": (VISION, 3, 2, 14, 14),
            "merger.ln_q.weight": (VISION,),
            **_linear("merger.mlp.0", 4 * VISION, 4 * VISION),
            **_linear("merger.mlp.2", self.width, 4 * VISION),
        }
        for block in range(BLOCKS):
            stem = f"blocks.{block}"
            shapes |= {f"{stem}.{norm}.weight": (VISION,) for norm in ("norm1", "norm2")}
            shapes |= _linear(f"{stem}.attn.qkv", 3 * VISION, VISION) | _linear(f"{stem}.attn.proj", VISION, VISION)
            shapes |= _linear(f"{stem}.mlp.gate_proj", VISION_INNER, VISION)
            shapes |= _linear(f"{stem}.mlp.up_proj", VISION_INNER, VISION)
            shapes |= _linear(f"{stem}.mlp.down_proj", VISION, VISION_INNER)
        return shapes

    def _layers(self) -> Shapes:
        """The language model without embeddings and head."""
        width, inner = self.width, self.inner
        keys = width // self.heads * self.key_heads
        shapes: Shapes = {"norm.weight": (width,)}
        for layer in range(self.layers):
            stem = f"layers.{layer}"
            shapes |= _linear(f"{stem}.self_attn.q_proj", width, width)
            shapes |= _linear(f"{stem}.self_attn.k_proj", keys, width)
            shapes |= _linear(f"{stem}.self_attn.v_proj", keys, width)
            shapes |= {
                f"{stem}.self_attn.o_proj.weight": (width, width),
                f"{stem}.mlp.gate_proj.weight": (inner, width),
                f"{stem}.mlp.up_proj.weight": (inner, width),
                f"{stem}.mlp.down_proj.weight": (width, inner),
                f"{stem}.input_layernorm.weight": (width,),
                f"{stem}.post_attention_layernorm.weight": (width,),
            }
        return shapes


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _under(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


QWEN2_5_VL_3B = Qwen25VLSizes(2048, 11008, 36, 16, 2, 151936, True)
QWEN2_5_VL_7B = Qwen25VLSizes(3584, 18944, 28, 28, 4, 152064, False)
