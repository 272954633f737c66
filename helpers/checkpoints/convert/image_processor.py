"""What a folder's image processor says against what the exported model does, which prepares its images itself."""

from pathlib import Path

from helpers.checkpoints.read.weight_folder import read_json_object
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Sa2VAConfig

_FILE = "preprocessor_config.json"
_BICUBIC = 3


def require_own_pixels(folder: Path, config: Sa2VAConfig) -> None:
    """Stop where the image processor of a Qwen model's folder makes other pixels than its family's.

    The official models take theirs from that file. The least and most pixels in it have no effect: they give their own
    with each call. Models of other families do not read it at all.

    Raises:
        RefusedInput: naming the file and the settings that differ.
    """
    path = folder / _FILE
    if not config.pixel_mean or not path.is_file():
        return
    vision = config.vision_config
    expected = {
        "image_mean": config.pixel_mean,
        "image_std": config.pixel_std,
        "patch_size": vision.patch_size,
        "merge_size": vision.spatial_merge_size,
        "temporal_patch_size": vision.temporal_patch_size,
        "rescale_factor": 1 / 255,
        "resample": _BICUBIC,
        **dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), True),
    }
    stated = read_json_object(path)
    # What the file leaves out, or null, is the processor's default, which is the expected one.
    others = {name: stated[name] for name, value in expected.items() if stated.get(name) not in (None, value)}
    if others:
        wanted = {name: expected[name] for name in others}
        raise RefusedInput(
            f"{path}: expected {wanted}, as models of this family see images, got {others}; use the file of the folder "
            "that training started from, unchanged"
        )
