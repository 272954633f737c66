"""A stand-in for an official Sa2VA: its module names and its interface, around this kit's modules.

Hooks on the official names fire in the order of the official code. The tensors are given, under the official names: a
stand-in may hold others than it computes with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from helpers.checkpoints.convert.key_map import canonical_name, inverse
from helpers.checkpoints.read.weight_source import open_source
from helpers.checkpoints.receipt.tensor_comparison import official_places, official_tensor
from helpers.model.mask_decoding import decode
from helpers.model.processing_sa2va import sam2_pixels, upsample_logits
from helpers.prediction.engine.model_loading import load_model

_SAM2 = "grounding_encoder.sam2_model."


@dataclass(frozen=True)
class OfficialNames:
    """Where an official model of a family has its parts.

    Attributes:
        passages: official module name -> the kit's module that computes there.
        words: of the input embeddings. speaker: of the module with `generate`.
        gives_prompt: whether `generate` gives the prompt's ids before the new ones.
    """

    passages: Mapping[str, str]
    words: str
    speaker: str
    gives_prompt: bool


_SHARED = {f"{_SAM2}image_encoder": "sam2.vision_encoder", f"{_SAM2}sam_mask_decoder": "sam2.mask_decoder"}
INTERNVL = OfficialNames(
    {"vision_model": "vision_tower", "mlp1": "multi_modal_projector", **_SHARED},
    "language_model.model.embed_tokens",
    "language_model",
    False,
)
QWEN_VL = OfficialNames(
    {"model.model.visual": "vision_tower", **_SHARED}, "model.model.language_model.embed_tokens", "model", True
)


class Seat(nn.Module):
    """A module under an official name: holds official tensors, and computes with a module of the kit."""

    def __init__(self, worker: nn.Module | None = None):
        super().__init__()
        self.workers = [worker]  # in a list, so that its tensors are not this module's

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.workers[0](*args, **kwargs)


class Passage(nn.Module):
    """In the place of a module of the kit: computes through a seat, and else is that module."""

    def __init__(self, seat: Seat, module: nn.Module):
        super().__init__()
        self.module, self.seats = module, [seat]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.seats[0](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)


class Speaker(nn.Module):
    """What has `generate` in the official model."""

    def generate(self, **kwargs: Any) -> Any:
        return SimpleNamespace(sequences=torch.tensor([self.answers(**kwargs)]))


class OfficialStandIn(nn.Module):
    """An official model as the script of the receipt sees it.

    Args:
        kit: a `Sa2VAModel` of its own to compute with.
        tensors: by official name.
    """

    def __init__(self, kit: Any, tensors: Mapping[str, torch.Tensor], names: OfficialNames):
        super().__init__()
        self._kit, self._names = [kit], names
        self._put(names.speaker, Speaker()).answers = self._answers
        for official, own in names.passages.items():
            above, _, last = own.rpartition(".")
            holder = kit.get_submodule(above)
            worker = getattr(holder, last)
            setattr(holder, last, Passage(self._put(official, Seat(worker)), worker))
        self._words = [self._put(names.words, Seat(kit.get_input_embeddings()))]
        self._projection = [self._put("text_hidden_fcs", Seat(kit.seg_projection))]
        self.torch_dtype = torch.bfloat16  # in both families until told otherwise
        if not names.gives_prompt:
            self.preparing_for_generation = self._prepare
        for name, tensor in tensors.items():
            above, _, last = name.rpartition(".")
            self._put(above).register_parameter(last, nn.Parameter(tensor, requires_grad=False))

    @property
    def kit(self) -> Any:
        """The model that it computes with."""
        return self._kit[0]

    def _put(self, path: str, module: nn.Module | None = None) -> nn.Module:
        """The module at a path, made where it is missing."""
        place: nn.Module = self
        parts = path.split(".") if path else []
        for number, part in enumerate(parts, 1):
            if not hasattr(place, part):
                place.add_module(part, module if module and number == len(parts) else nn.Module())
            place = getattr(place, part)
        return place

    def _prepare(self, tokenizer: Any, max_new_tokens: int = 2048, torch_dtype: Any = torch.bfloat16) -> None:
        self.torch_dtype = torch_dtype

    def predict_forward(self, image=None, text=None, tokenizer=None, processor=None) -> dict[str, Any]:
        kit, names = self.kit, self._names
        assert self.torch_dtype == kit.dtype and bool(processor) == names.gives_prompt
        speaker = self.get_submodule(names.speaker)
        (new,) = speaker.generate(image=image, text=text, tokenizer=tokenizer).sequences.tolist()
        new = new[len(self._prompt_ids) :] if names.gives_prompt else new
        logits = []
        for prompt in self._projection[0](self._states):
            square = sam2_pixels(image, kit.config.sam2_sizes.image_size, "bf16_rounded", kit.dtype)
            features = kit.encode_sam2(square)
            found = decode(kit.sam2, features.embedding, features.high_resolution, prompt[None])
            low = found.logits[found.best]
            logits.append(upsample_logits(low, kit.config.sam2_sizes.image_size, image.height, image.width))
        words = tokenizer.decode(new, skip_special_tokens=False).strip()
        return {"prediction": words, "prediction_masks": [(one.sigmoid() > 0.5).numpy() for one in logits]}

    def _answers(self, image: Any, text: str, tokenizer: Any) -> list[int]:
        kit = self.kit
        bridge = kit.bridge
        pixels = bridge.image_bytes(image)
        pictures = bridge.image_tokens(pixels)
        self._prompt_ids = bridge.prompt_ids(tokenizer, text, "", pictures)
        self._words[0](torch.tensor([self._prompt_ids]))
        question = bridge.question(kit, tokenizer, text, "", pixels, pictures)
        answer = kit.answer(question, tokenizer, kit.config.answer_token_limit)
        self._states = answer.seg_states
        return [*(self._prompt_ids if self._names.gives_prompt else []), *answer.token_ids]


def official_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a model folder under their official names."""
    with open_source(folder) as source:
        places = {name: official_places(name, source) for name in inverse(source.tensors)}
        return {name: official_tensor(found, source).clone() for name, found in places.items()}


def without_lora(tensors: Mapping[str, torch.Tensor], base: Path) -> dict[str, torch.Tensor]:
    """Official tensors in which the language model's layers are those of a base, as where LoRA was not merged."""
    with open_source(base) as source:
        stored = {canonical_name(name): name for name in source.tensors}
        return {
            name: source.read(stored[canonical_name(name)]).to(tensor.dtype).clone() if _is_linear(name) else tensor
            for name, tensor in tensors.items()
        }


def _is_linear(name: str) -> bool:
    return "language_model." in name and ".layers." in name and "norm" not in name and name.endswith("weight")


def stand_in(
    folder: Path,
    tensors: Mapping[str, torch.Tensor] | None = None,
    names: OfficialNames = INTERNVL,
    dtype: str = "float32",
) -> tuple[OfficialStandIn, Any]:
    """An official model that computes as a model folder does, on the CPU, and its tokenizer.

    Args:
        tensors: that it holds, by official name; None for the folder's.
        dtype: that it computes and holds them in.
    """
    kit, tokenizer = load_model(folder, "cpu", dtype)
    held = official_tensors(folder) if tensors is None else tensors
    if dtype != "float32":
        held = {name: tensor.to(kit.dtype) for name, tensor in held.items()}
    return OfficialStandIn(kit, held, names), tokenizer
