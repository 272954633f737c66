"""What the way a model was loaded costs, and whether it can compute as it lies."""

import json
import os

from torch import nn
from transformers.utils import logging

logger = logging.get_logger(__name__)


def warn_of_float32(folder) -> None:
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


def require_one_device(model: nn.Module) -> None:
    """Raises ValueError where accelerate spread the model over devices, or left a part of it on the disk."""
    devices = sorted({str(parameter.device) for parameter in model.parameters()})
    if len(devices) > 1:
        raise ValueError(
            f"the model lies on {', '.join(devices)} and computes on one device only; load it with "
            "device_map={'': 0}, or without device_map and then .to('cuda')"
        )
