"""Record what official Sa2VA code computes, for `vesselkit verify my-model --receipt receipt.npz`.

Run this file where the official code runs. It needs torch, transformers, pillow and numpy, not vesselkit:

    python receipt.py --model OFFICIAL_EXPORT --output receipt.npz --frames a.png b.png

Without `--frames` it draws frames. A model in memory, of the training class too, goes to `write_receipt` in Python.

The receipt holds token ids, answers, states, masks, fingerprints and versions: no pixels, no path, no name of a file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np
import PIL
import torch
import transformers
from PIL import Image
from transformers import AutoModel, AutoProcessor, AutoTokenizer

SCHEMA, SCHEMA_VERSION = "vesselkit.receipt", 1
DEFAULT_PROMPT = "Please segment the blood vessels."
BUCKETS = 32  # of a sketch
_BLOCK = 1 << 22  # values at a time, a multiple of BUCKETS
_ORIENTATION = 274  # the EXIF tag
_PACKAGES = {"torch": torch, "transformers": transformers, "pillow": PIL, "numpy": np}
_DRAWN_SIZES = ((512, 512), (640, 320), (384, 512))

# What is watched: ends of module names in the official models, and in vesselkit's own.
SEAMS = {
    "tower": ("vision_model", "visual", "vision_tower"),
    "projector": ("mlp1", "multi_modal_projector"),
    "words": ("embed_tokens", "tok_embeddings"),
    "projection": ("text_hidden_fcs", "seg_projection"),
    "square": ("image_encoder", "sam2.vision_encoder"),
    "decoder": ("sam_mask_decoder", "sam2.mask_decoder"),
}


class Refused(ValueError):
    """What was given cannot make a receipt; the message says what is expected."""


def signs(length: int) -> np.ndarray:
    """+1 or -1 for each of so many places, float64: the last bit of an integer hash of the place."""
    mixed = np.arange(length, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return 1.0 - 2.0 * (mixed & np.uint64(1)).astype(np.float64)


_SIGNS = signs(_BLOCK)


def fingerprint(tensor: torch.Tensor) -> tuple[dict, np.ndarray]:
    """What a tensor holds, in a few numbers: a JSON object, and a sketch (BUCKETS,) float64.

    `sha256` is of the bytes as they are. All else is of the values rounded to bfloat16, so that dtypes compare: the
    hash `sha256_bfloat16`, the `norm`, and the sketch: each value goes with a sign into one bucket. The squared
    distance of two sketches estimates that of the tensors, with a standard deviation of a quarter.
    """
    flat = tensor.detach().reshape(-1)
    exact, rounded, sketch, square = hashlib.sha256(), hashlib.sha256(), np.zeros(BUCKETS), 0.0
    for number, start in enumerate(range(0, len(flat), _BLOCK)):
        block = flat[start : start + _BLOCK].cpu().contiguous()
        exact.update(block.view(torch.uint8).numpy().data)
        narrow = block.to(torch.bfloat16)
        rounded.update(narrow.view(torch.uint8).numpy().data)
        values = narrow.to(torch.float64).numpy()
        square += float(np.dot(values, values))
        signed = np.zeros(-(-len(values) // BUCKETS) * BUCKETS)
        signed[: len(values)] = values * _SIGNS[: len(values)]
        turn = -1.0 if number // BUCKETS % 2 else 1.0  # so that blocks that changed places differ
        sketch += turn * np.roll(signed.reshape(-1, BUCKETS).sum(0), number)
    hashes = {"sha256": exact.hexdigest(), "sha256_bfloat16": rounded.hexdigest()}
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype)[6:], **hashes, "norm": square**0.5}, sketch


def tensors_of(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """A model's parameters and saved buffers by name; LoRA that is in force is merged into its weight."""
    merged = set()
    for prefix, module in model.named_modules():
        dot = prefix + "." if prefix else ""
        if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
            merged.add(dot + "base_layer.weight")
            yield dot + "weight", _with_lora(module)
        passing = getattr(module, "_non_persistent_buffers_set", ())
        own = dict(module.named_parameters(recurse=False))
        own.update((name, one) for name, one in module.named_buffers(recurse=False) if name not in passing)
        for name, tensor in own.items():
            full = dot + name
            if full in merged or ".lora_" in full or ".original_module." in full or not tensor.is_floating_point():
                continue
            if tensor.is_meta:
                raise Refused(f"{full}: holds no values; load the whole model, without offloading")
            yield full, tensor


def _with_lora(module: Any) -> torch.Tensor:
    weight = module.base_layer.weight
    if getattr(module, "merged", False) or getattr(module, "disable_adapters", False):
        return weight
    factors = [(module.lora_B[name].weight, module.lora_A[name].weight, name) for name in module.active_adapters]
    changes = (module.scaling[name] * (up.detach().float() @ down.detach().float()) for up, down, name in factors)
    return sum(changes, weight.detach().float())


class Watch:
    """Notes what passes through a model's seams while the block runs.

    Attributes:
        pixels, tower, square: input of the vision tower, visual tokens, input of SAM2's encoder; None before.
        words: token ids of each embedding call. sequences: of each call of `generate`.
        states, projected: rows of `[SEG]` before and behind their projection.
        masks, ious: of each mask, the candidates' low-resolution logits (M, h, w) and predicted IoU (M,).
    """

    def __init__(self, model: torch.nn.Module):
        """Find the seams. Raises Refused where one is missing."""
        self.pixels = self.tower = self.square = None
        notes: tuple[list[Any], ...] = ([], [], [], [], [], [], [])
        self.words, self.sequences, self.states, self.projected, self.masks, self.ious, self._undo = notes
        self._model, self.modules = model, dict[str, Any]()
        for seam, ends in SEAMS.items():
            dotted = tuple(f".{end}" for end in ends)
            found = [one for name, one in model.named_modules() if f".{name}".endswith(dotted)]
            if not found and seam != "projector":
                raise Refused(f"expected a Sa2VA model, and found no module named {' or '.join(ends)}")
            self.modules.update({seam: found[0]} if found else {})

    def __enter__(self) -> Watch:
        self._before("tower", lambda value: setattr(self, "pixels", value if self.pixels is None else self.pixels))
        self._before("square", lambda value: setattr(self, "square", value if self.square is None else self.square))
        self._before("words", lambda value: self.words.append(value.flatten().tolist()))
        self._behind("projector" if "projector" in self.modules else "tower", self._note_tower)
        self._before("projection", lambda value: self.states.extend(_rows(value)))
        self._behind("projection", lambda output: self.projected.extend(_rows(output)))
        self._behind("decoder", self._note_masks)
        for module in self._model.modules():
            if callable(getattr(type(module), "generate", None)):
                self._wrap_generate(module)
        return self

    def __exit__(self, *error: object) -> None:
        for undo in self._undo:
            undo()

    def _before(self, seam: str, note: Callable) -> None:
        def hook(module: Any, args: tuple, kwargs: dict) -> None:
            note(next(one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)).detach())

        self._undo.append(self.modules[seam].register_forward_pre_hook(hook, with_kwargs=True).remove)

    def _behind(self, seam: str, note: Callable) -> None:
        self._undo.append(self.modules[seam].register_forward_hook(lambda _, __, output: note(output)).remove)

    def _note_tower(self, output: Any) -> None:
        # Of Qwen's towers newer versions of transformers name the merged tokens so, older ones give them first.
        output = getattr(output, "pooler_output", output)
        output = output[0] if isinstance(output, (tuple, list)) else output
        self.tower = output.detach().reshape(-1, output.shape[-1]) if self.tower is None else self.tower

    def _note_masks(self, output: Any) -> None:
        masks, ious = output[0].detach().float(), output[1].detach().float()
        for one, iou in zip(masks.reshape(-1, *masks.shape[-3:]), ious.reshape(-1, ious.shape[-1])):
            first = 1 if len(one) == 4 else 0  # of four, the first is the single mask, which Sa2VA does not use
            self.masks.append(one[first:].cpu().numpy())
            self.ious.append(iou[first:].cpu().numpy())

    def _wrap_generate(self, module: Any) -> None:
        generate = module.generate

        def noted(*args: Any, **kwargs: Any) -> Any:
            output = generate(*args, **kwargs)
            self.sequences.append(getattr(output, "sequences", output)[0].tolist())
            return output

        module.generate = noted
        self._undo.append(lambda: delattr(module, "generate"))


def _rows(value: torch.Tensor) -> list:
    return list(value.detach().float().reshape(-1, value.shape[-1]).cpu().numpy())


def drawn_frames(count: int) -> list[Image.Image]:
    """So many RGB frames of dark curves on grey, by integer arithmetic alone: the same pixels everywhere."""
    frames = []
    for number in range(count):
        width, height = _DRAWN_SIZES[number % len(_DRAWN_SIZES)]
        y, x = np.mgrid[:height, :width]
        grey = 170 + (x * 40) // width + ((x * 7 + y * 13 + number) % 11)
        for branch in range(5):
            across = (width // 3, (width // 3 + 97 * branch + 31 * number) % width, (211 * branch + 60) % width)
            ends = [(x_end, place * (height - 1) // 2) for place, x_end in enumerate(across)]
            for step in range(129):
                weights = ((128 - step) ** 2, 2 * (128 - step) * step, step**2)
                cx, cy = (sum(part * end[at] for part, end in zip(weights, ends)) >> 14 for at in range(2))
                grey[(x - cx) ** 2 + (y - cy) ** 2 <= (9 - branch - step // 32) ** 2] = 60 + 12 * branch
        frames.append(Image.fromarray(grey.astype(np.uint8)).convert("RGB"))
    return frames


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 of a frame's size and RGB bytes, by which it is found again."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode not in ("L", "RGB") or image.getexif().get(_ORIENTATION, 1) != 1:
        raise Refused(f"{name}: expected grey or RGB of 8 bits that no EXIF tag turns, got {image.mode}; save it so")
    return image.convert("RGB")


def write_receipt(
    model: Any,
    output: str | os.PathLike,
    tokenizer: Any = None,
    frames: Sequence[Image.Image] | None = None,
    prompt: str = DEFAULT_PROMPT,
    processor: Any = None,
    call: Callable | None = None,
) -> None:
    """Run a model on frames and write the receipt.

    Args:
        model: an official Sa2VA, of the export or the training class, in evaluation mode on its device.
        output: file to write, such as receipt.npz; it is tried before any call, and appears once it is whole.
        tokenizer, processor: of the model's folder; the Qwen families need both. prompt: the user's words.
        frames: PIL images, L or RGB; None for three drawn ones; an empty list records the tensors alone.
        call: answers (image, prompt) by the model, for one without `predict_forward`; may return its answer, a str.
    Raises:
        Refused: for a model that is no Sa2VA or cannot be called, other frames or answers, a file that cannot be.
    """
    partial = _tried(output)
    images = drawn_frames(3) if frames is None else [_as_rgb(one, f"frame {at}") for at, one in enumerate(frames, 1)]
    weight = next(Watch(model).modules["words"].parameters())
    call = call or (_official_call(model, tokenizer, processor, weight.dtype) if images else None)
    arrays: dict[str, Any] = {}
    calls = [_frame(model, image, prompt, call, at, arrays) for at, image in enumerate(images)]
    named = [(name, *fingerprint(tensor)) for name, tensor in tensors_of(model)]
    arrays["tensors.sketches"] = np.array([sketch for _, _, sketch in named])
    versions = {"python": platform.python_version(), **{name: one.__version__ for name, one in _PACKAGES.items()}}
    header = {
        "schema": SCHEMA, "schema_version": SCHEMA_VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "prompt": prompt, "drawn": frames is None, "dtype": str(weight.dtype)[6:], "device": weight.device.type,
        "versions": versions, "frames": calls, "tensors": [{"name": name, **facts} for name, facts, _ in named],
    }  # fmt: skip
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez_compressed(partial, **arrays)
    os.replace(partial, output)


def _tried(output: str | os.PathLike) -> str:
    """The file beside the output that becomes it. Raises Refused where one of the two cannot be written."""
    partial = os.fspath(output) + ".partial.npz"
    try:
        for path in (output, partial) if os.path.exists(output) else (partial,):
            open(path, "ab").close()
        os.remove(partial)
    except OSError as error:
        raise Refused(f"{output}: expected a file that can be written ({error.strerror}); name another") from error
    return partial


def _official_call(model: Any, tokenizer: Any, processor: Any, dtype: torch.dtype) -> Callable:
    if not hasattr(model, "predict_forward"):
        raise Refused("the model has no predict_forward; give call=, or frames=[] for its tensors alone")
    if tokenizer is None:
        raise Refused("tokenizer: expected that of the model's folder, got none")
    if hasattr(model, "preparing_for_generation"):
        model.preparing_for_generation(tokenizer, torch_dtype=dtype)
    elif hasattr(model, "torch_dtype"):
        model.torch_dtype = dtype  # else bfloat16, whatever the weights are
    others = {"tokenizer": tokenizer, **({} if processor is None else {"processor": processor})}
    return lambda image, words: model.predict_forward(image=image, text="<image>\n" + words, **others)


def _frame(model: Any, image: Image.Image, prompt: str, call: Any, number: int, arrays: dict[str, Any]) -> dict:
    """What one call computes: facts for the header; arrays are added."""
    with torch.no_grad(), Watch(model) as seen:
        result = call(image, prompt)
    result = result if isinstance(result, dict) else {"prediction": result}
    if not isinstance(answer := result.get("prediction"), (str, type(None))):
        raise Refused(f"call: expected an answer that is a str or None, got {type(answer).__name__}")
    for seam, note in (("tower", seen.pixels), ("projector", seen.tower), ("words", seen.words or None)):
        if note is None:
            raise Refused(f"call: expected one of the given model, and nothing passed its {' or '.join(SEAMS[seam])}")
    prompt_ids = seen.words[0]
    ids = seen.sequences[0] if seen.sequences else []
    ids = ids[len(prompt_ids) :] if ids[: len(prompt_ids)] == prompt_ids else ids
    facts = dict[str, Any](answer=answer, width=image.width, height=image.height, pixels_sha256=pixel_sha256(image))
    for name in ("pixels", "square", "tower"):
        if getattr(seen, name) is not None:
            facts[name], arrays[f"{number}.{name}.sketch"] = fingerprint(getattr(seen, name))
    best = [int(one.argmax()) for one in seen.ious]
    masks = [np.packbits(np.asarray(one, dtype=bool)) for one in result.get("prediction_masks") or []]
    ids_of = {"prompt_ids": prompt_ids, "answer_ids": ids, "best": best}
    values = {"states": seen.states, "projected": seen.projected, "ious": seen.ious}
    values["logits"] = [one[at] for one, at in zip(seen.masks, best)]
    for named, kind in ((ids_of, np.int64), (values, np.float32), ({"masks": masks}, np.uint8)):
        arrays.update((f"{number}.{name}", np.array(value, kind)) for name, value in named.items())
    return facts


def load_official(folder: str, dtype: torch.dtype, device: str) -> tuple[Any, Any, Any]:
    """The model, tokenizer and processor (or None) of an official export, by the code that it holds."""
    name = "dtype" if tuple(map(int, transformers.__version__.split(".")[:2])) >= (4, 56) else "torch_dtype"
    kind: dict[str, Any] = {name: dtype}
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, local_files_only=True, **kind).eval().to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True, local_files_only=True)
    if not os.path.isfile(os.path.join(folder, "preprocessor_config.json")):
        return model, tokenizer, None
    return model, tokenizer, AutoProcessor.from_pretrained(folder, trust_remote_code=True, local_files_only=True)


def main(words: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record what an official Sa2VA computes.")
    parser.add_argument("--model", required=True, help="folder of the official export, with its code")
    parser.add_argument("--output", required=True, help="file to write, such as receipt.npz")
    parser.add_argument("--frames", nargs="+", help="2 to 4 image files of 8 bits; without it, frames are drawn")
    parser.add_argument("--prompt", default=DEFAULT_PROMPT)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help="else bfloat16 on a GPU, float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args(words)
    dtype = asked.dtype or ("float32" if asked.device == "cpu" else "bfloat16")
    try:
        _tried(asked.output)
        images = None if asked.frames is None else [_as_rgb(Image.open(path), path) for path in asked.frames]
        model, tokenizer, processor = load_official(asked.model, getattr(torch, dtype), asked.device)
        write_receipt(model, asked.output, tokenizer, images, asked.prompt, processor)
    except Refused as error:
        raise SystemExit(f"Error: {error}") from error
    print(f"written: {asked.output}; next: vesselkit verify MODEL --receipt {asked.output} --data FRAMES")


if __name__ == "__main__":
    main()
