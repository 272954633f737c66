"""Calls written for the official models: accepts those that this model understands, and answers the others with advice.

The official order is image, video, text, past_text, mask_prompts, tokenizer, processor; image, text, tokenizer is taken
too. What has no effect here is said once in a process.
"""

import json
import os
from typing import Any

from torch import nn
from transformers.utils import logging

logger = logging.get_logger(__name__)
_CALL = "model.predict_forward(image=image, text=text, tokenizer=tokenizer)"

# What is not here -> what is to know beside the call that takes its place.
INSTEAD = {
    "chat": "",
    "forward": "",
    "generate": "; answers are greedy, and max_new_tokens=N limits them",
    "preparing_for_generation": " alone; max_new_tokens=N goes there, the dtype to from_pretrained",
}


def say_once(text: str) -> None:
    """Warn once in a process, however many models are loaded."""
    logging.get_logger("transformers").warning_once(text)


def without_flash(settings: dict[str, Any]) -> None:
    """Take `use_flash_attn` out of the arguments of `from_pretrained`, and say that it has no effect."""
    if settings.pop("use_flash_attn", None) is not None:
        say_once(
            "use_flash_attn: has no effect, since torch's own kernels compute the attention. "
            "attn_implementation='flash_attention_2' asks for that package"
        )


def instead_of(name: str) -> str:
    """One line that says what takes the place of a call of the official models, a key of `INSTEAD`."""
    return f"{name}: call {_CALL}{INSTEAD[name]}"


def in_order(image: Any, video: Any, text: Any, tokenizer: Any) -> tuple[Any, Any, Any]:
    """Video, text and tokenizer of a call that may have named image, text, tokenizer by their place.

    Raises:
        ValueError: where two texts or two tokenizers come, or a text stands for a video without an image: it may be
            the path of a film.
    """
    if image is None and isinstance(video, str):
        raise ValueError(
            f"video: expected a list of images, one a frame, got the text {video!r}. Without an image, name text="
        )
    is_text = isinstance(video, str) or (_is_tokenizer(text) and video is not None)
    if not is_text:
        return video, text, tokenizer
    if text is not None and (tokenizer is not None or not _is_tokenizer(text)):
        raise ValueError(
            f"text: expected one value in its place, got {type(video).__name__} and {type(text).__name__}. "
            f"Name them: {_CALL}"
        )
    return None, video, tokenizer if text is None else text


def texts_for(image: Any, text: Any) -> list[str] | None:
    """The text of each image of a list; None where `image` is none.

    Args:
        image: what was given as `image`; a list or tuple counts as several.
        text: one text for all, or a list with one for each.
    Raises:
        ValueError: where text is of another type or number.
    """
    several = isinstance(image, (list, tuple))
    if isinstance(text, (list, tuple)):
        if not several or len(text) != len(image):
            images = len(image) if several else 1
            raise ValueError(f"text: expected one text, or one for each image, got {len(text)} for {images}")
        texts = list(text)
    else:
        texts = [text] * len(image) if several else [text]
    strays = sorted({type(one).__name__ for one in texts if not isinstance(one, str | None)})
    if strays:
        raise ValueError(f"text: expected str, got {strays[0]}")
    if several and not image:
        raise ValueError("image: expected at least one image, got an empty list")
    return [one or "" for one in texts] if several else None


def _is_tokenizer(given: Any) -> bool:
    return hasattr(given, "convert_tokens_to_ids")


def warn_of_float32(folder: Any) -> None:
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
        f"loading {stored} weights as float32, {2 * stored_bytes / 1e9:.3g} GB instead of {stored_bytes / 1e9:.3g} GB. "
        f"Pass dtype=torch.{stored} to from_pretrained"
    )


def modules_of(model: nn.Module) -> list[nn.Module]:
    """A module and all within it, some twice where it is shared: in a third of the time of `modules`."""
    found = [model]
    for module in found:
        if module._modules:  # most have none
            found += [child for child in module._modules.values() if child is not None]
    return found


def require_one_device(model: nn.Module) -> None:
    """Raises ValueError where accelerate spread the model over devices, or left a part of it on the disk."""
    found = {tensor.device for part in modules_of(model) for tensor in part._parameters.values() if tensor is not None}
    devices = sorted(map(str, found))
    if len(devices) > 1:
        raise ValueError(
            f"the model lies on {', '.join(devices)}, but computes on one device only. Load it with "
            "device_map={'': 0}, or without device_map and then .to('cuda')"
        )
