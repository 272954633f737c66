"""SAM2 of an exported model folder by itself: clicks and the following of masks ask no language model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import nn
from transformers import Sam2VideoModel

from helpers.core.errors import RefusedInput
from helpers.model.components import fit_memory_width
from helpers.model.configuration_sa2va import Sa2VAConfig
from helpers.model.processing_sa2va import normalise_sam2, sam2_bytes
from helpers.model.sam2_fast_path import skip_unused_sam2_ops
from helpers.model.sam2_sizes import Sam2Sizes, sam2_video_config
from helpers.prediction.engine.dtypes import supported_dtype, upcast_mask_decoder
from helpers.prediction.engine.materialize import without_values
from helpers.prediction.engine.memory_estimate import require_memory, stored_shapes
from helpers.prediction.engine.model_loading import check_folder, choose_device, choose_dtype, stored_tensors

_PREFIX = "sam2."


@dataclass(frozen=True)
class Sam2Part:
    """SAM2 of a model, in evaluation mode on its device, and what its pixels are made with.

    Attributes:
        sam2: transformers' own module.
        pixel_constants: as `normalise_sam2` takes them.
        identity: JSON object that says which weights these are, as of a predictor.
    """

    sam2: Sam2VideoModel = field(repr=False)
    pixel_constants: str
    identity: Mapping[str, Any]

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.sam2.no_memory_embedding.dtype

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.sam2.no_memory_embedding.device

    @property
    def side(self) -> int:
        """Of the square network input, in pixels."""
        side: Any = self.sam2.config.image_size  # one number in a SAM2 of videos
        return int(side)

    def pixels(self, image: Image.Image, wide: bool = False) -> torch.Tensor:
        """An RGB image as network input, (1, 3, side, side).

        Args:
            wide: normalise in float32 whatever the dtype, as frames of a sequence are.
        """
        square = sam2_bytes(image, self.side).to(self.device)
        return normalise_sam2(square, self.pixel_constants, torch.float32 if wide else self.dtype).to(self.dtype)


def load_sam2_part(folder: Path, device: str = "auto", dtype: str = "auto") -> Sam2Part:
    """SAM2 of a folder that `convert` wrote, of any version and family; none of the folder's code runs.

    Args:
        device, dtype: as of `load_model`; of `mixed` SAM2's half holds.
    Raises:
        UsageProblem: for a device or dtype that cannot be used, or too little memory.
        RefusedInput: for a folder that is no export, whose code was changed since, or whose files cannot be loaded.
    """
    place = choose_device(device)
    chosen = choose_dtype(dtype, place)
    identity = asdict(check_folder(folder))
    try:
        shapes = {name: shape for name, shape in stored_shapes(folder).items() if name.startswith(_PREFIX)}
        require_memory(shapes, place, chosen.sam2)
        config = Sa2VAConfig.from_pretrained(str(folder), local_files_only=True)
        stored = stored_tensors(folder, place, _PREFIX)
        tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in stored}
        sam2 = build_sam2(config.sam2_sizes, tensors)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RefusedInput(
            f"{folder}: its SAM2 cannot be loaded ({error}). Verify the folder, or convert again"
        ) from error
    return prepared_part(sam2, place, supported_dtype(chosen, tensors).sam2, config.sam2_pixel_constants, identity)


def build_sam2(sizes: Sam2Sizes, tensors: Mapping[str, torch.Tensor]) -> Sam2VideoModel:
    """SAM2 of these sizes with these tensors by their names in its state dict; RuntimeError where they differ."""
    config = sam2_video_config(sizes)
    config._attn_implementation = "sdpa"
    sam2 = without_values(lambda: Sam2VideoModel(config))
    fit_memory_width(sam2, sizes.mem_dim)
    sam2.load_state_dict(tensors, strict=True, assign=True)
    return sam2.requires_grad_(False)


def prepared_part(
    sam2: Sam2VideoModel, device: torch.device, dtype: torch.dtype, pixel_constants: str, identity: Mapping[str, Any]
) -> Sam2Part:
    """A SAM2 put on a device in a dtype, lean and wide as in a whole model; the module itself is changed."""
    sam2.to(device, dtype)  # type: ignore[arg-type]  # a decorator of transformers hides its parameters
    # Points lie within a fraction of a pixel, which narrower numbers do not tell apart.
    sam2.prompt_encoder.shared_embedding.float()
    whole = nn.Module()
    whole.sam2 = sam2
    skip_unused_sam2_ops(whole)
    upcast_mask_decoder(whole)
    return Sam2Part(sam2, pixel_constants, identity)
