"""Sizes of the SAM 2.0 part of a Sa2VA model, and the transformers configuration they stand for.

No official Sa2VA configuration carries the sizes of its SAM2; they are constants of the official code. Here they are
data: one of the published Hiera presets, or a JSON object with the fields of `Sam2Sizes`.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from transformers import (
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoMaskDecoderConfig,
    Sam2VideoPromptEncoderConfig,
    Sam2VisionConfig,
)


@dataclass(frozen=True)
class Sam2Sizes:
    """Sizes of a SAM 2.0 model; the defaults are those that all four published models share.

    Lengths are in pixels of the square network input, widths in channels.
    """

    embed_dim: int
    num_heads: int
    stages: tuple[int, int, int, int]
    global_att_blocks: tuple[int, ...]
    d_model: int = 256
    mem_dim: int = 64
    mem_ffn: int = 2048
    mem_layers: int = 4
    dec_mlp: int = 2048
    iou_hidden: int = 256
    image_size: int = 1024
    window_spec: tuple[int, int, int, int] = (8, 4, 14, 7)
    window_pos_embed_bkg_spatial_size: tuple[int, int] = (7, 7)
    q_pool: int = 3
    mlp_ratio: float = 4.0
    decoder_num_heads: int = 8
    decoder_depth: int = 2
    decoder_attn_downsample: int = 2
    memory_attention_num_heads: int = 1
    num_maskmem: int = 7
    mask_in_chans: int = 16
    fpn_top_down_levels: tuple[int, ...] = (2, 3)

    @classmethod
    def from_dict(cls, values: dict) -> "Sam2Sizes":
        """Read the sizes from a JSON object.

        Nested objects are examples of other models' sizes and are skipped. Any other unknown name, or a
        missing one, raises ValueError: a silent default would build a different network.
        """
        if not isinstance(values, dict):
            raise ValueError(f"SAM2 sizes: expected a JSON object, got {type(values).__name__}")
        known = {field.name: field for field in fields(cls)}
        given = {name: value for name, value in values.items() if not isinstance(value, dict)}
        unknown = sorted(set(given) - set(known))
        missing = sorted({"embed_dim", "num_heads", "stages", "global_att_blocks"} - set(given))
        if unknown or missing:
            raise ValueError(
                f"SAM2 sizes: unknown {unknown or 'none'}, missing {missing or 'none'}; known names: {sorted(known)}"
            )
        lengths = {"stages": 4, "window_spec": 4, "window_pos_embed_bkg_spatial_size": 2}
        lists = (*lengths, "global_att_blocks", "fpn_top_down_levels")
        for name, value in given.items():
            each = value if isinstance(value, list | tuple) and name in lists else [value]
            wrong_form = (name in lists) is not isinstance(value, list | tuple)
            wrong_length = len(each) != lengths.get(name, len(each))
            if wrong_form or wrong_length or not all(type(one) in (int, float) for one in each):
                form = f"a list of {lengths.get(name, 'some')} numbers" if name in lists else "a number"
                raise ValueError(f"SAM2 sizes: {name}: expected {form}, got {value!r}")
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**found)

    def to_dict(self) -> dict:
        """The sizes as a JSON object; `from_dict` reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


PRESETS = {
    "hiera_t": Sam2Sizes(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "hiera_s": Sam2Sizes(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "hiera_b+": Sam2Sizes(112, 2, (2, 3, 16, 3), (12, 16, 20), window_pos_embed_bkg_spatial_size=(14, 14)),
    "hiera_l": Sam2Sizes(144, 2, (2, 6, 36, 4), (23, 33, 43), window_spec=(8, 4, 16, 8)),
}


def sam2_video_config(sizes: Sam2Sizes) -> Sam2VideoConfig:
    """The transformers configuration of the SAM 2.0 video model with these sizes.

    The video tree is used although images need only part of it, so that a folder exported today holds every tensor
    that tracking needs. The two switches that separate SAM 2.0 from 2.1 are off.
    """
    widths = [sizes.embed_dim * 2**stage for stage in range(4)]
    stride_4 = sizes.image_size // 4
    backbone = Sam2HieraDetConfig(
        hidden_size=sizes.embed_dim,
        num_attention_heads=sizes.num_heads,
        image_size=[sizes.image_size, sizes.image_size],
        num_query_pool_stages=sizes.q_pool,
        blocks_per_stage=list(sizes.stages),
        embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[sizes.num_heads * 2**stage for stage in range(4)],
        window_size_per_stage=list(sizes.window_spec),
        window_positional_embedding_background_size=list(sizes.window_pos_embed_bkg_spatial_size),
        global_attention_blocks=list(sizes.global_att_blocks),
        mlp_ratio=float(sizes.mlp_ratio),
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone.to_dict(),
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[stride_4 // 2**level] * 2 for level in range(3)],
        fpn_hidden_size=sizes.d_model,
        fpn_top_down_levels=list(sizes.fpn_top_down_levels),
    )
    return Sam2VideoConfig(
        vision_config=vision.to_dict(),
        # Objects, not dicts: some releases of transformers 5 read a dict for the decoder as a prompt encoder's.
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(
            hidden_size=sizes.d_model, image_size=sizes.image_size, mask_input_channels=sizes.mask_in_chans
        ),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=sizes.d_model,
            mlp_dim=sizes.dec_mlp,
            num_hidden_layers=sizes.decoder_depth,
            num_attention_heads=sizes.decoder_num_heads,
            attention_downsample_rate=sizes.decoder_attn_downsample,
            iou_head_hidden_dim=sizes.iou_hidden,
        ),
        image_size=sizes.image_size,
        num_maskmem=sizes.num_maskmem,
        enable_occlusion_spatial_embedding=False,
        enable_temporal_pos_encoding_for_object_pointers=False,
        memory_attention_hidden_size=sizes.d_model,
        memory_attention_num_layers=sizes.mem_layers,
        memory_attention_num_attention_heads=sizes.memory_attention_num_heads,
        memory_attention_feed_forward_hidden_size=sizes.mem_ffn,
        memory_attention_rope_feat_sizes=[sizes.image_size // 16] * 2,
        memory_encoder_hidden_size=sizes.d_model,
        memory_encoder_output_channels=sizes.mem_dim,
        mask_downsampler_embed_dim=sizes.d_model,
        memory_fuser_embed_dim=sizes.d_model,
        memory_fuser_intermediate_dim=4 * sizes.d_model,
    )
