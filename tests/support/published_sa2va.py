"""A published Sa2VA of the fixture's sizes with weights of its own, and a fine-tune of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from helpers.checkpoints.convert.key_map import SAM2, LoraName, canonical_name, inverse, restore_map
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.checkpoints.read.weight_source import open_source
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from tests.support.tiny_sources import TinySources

State = dict[str, torch.Tensor]
NAME = "sa2va.pth"


@dataclass(frozen=True)
class Published:
    """Its file, its folder, and its tensors under the names of the official export."""

    file: Path
    folder: Path
    tensors: Mapping[str, torch.Tensor]


def publish(tiny: TinySources, place: Path, config_value: str = f"'pretrained/{NAME}'") -> Published:
    """Write one, and let the checkpoint's config name it as `pretrained_pth`."""
    random = torch.Generator().manual_seed(3)
    tensors = {}
    for name, tensor in whole_state(tiny).items():
        tensors[name] = tensor + 0.1 * torch.randn(tensor.shape, generator=random)
    file = place / NAME
    write_file(tensors, file)
    folder = place / "Sa2VA-tiny"
    folder.mkdir()
    write_tokenizer(tiny.base, folder, SPECIAL_TOKENS)
    config = json.loads((tiny.base / "config.json").read_text())
    config |= {"model_type": "sa2va_chat", "template": "qwen_chat"}
    config["llm_config"]["vocab_size"] = len(tensors["language_model.lm_head.weight"])
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    name_pretrained(tiny, config_value)
    return Published(file, folder, tensors)


def name_pretrained(tiny: TinySources, config_value: str) -> None:
    """Let the checkpoint's config give `pretrained_pth` so."""
    edit_config(tiny, lambda text: text.replace("pretrained_pth=None", f"pretrained_pth={config_value}"))


def edit_config(tiny: TinySources, change: Callable[[str], str]) -> None:
    """Change the config text in the checkpoint; it must differ."""

    def edit(content):
        changed = change(content["meta"]["cfg"])
        assert changed != content["meta"]["cfg"]
        content["meta"]["cfg"] = changed

    tiny.edit_checkpoint(edit)


def write_file(tensors: Mapping[str, torch.Tensor], path: Path, wrapped: bool = False) -> None:
    """A `.pth` as the official tools write it: flat, `mllm.model.` before the names, `.gamma` in SAM2."""
    state = {}
    for name, tensor in tensors.items():
        mllm = name.startswith(("vision_model.", "language_model.", "mlp1."))
        state[f"mllm.model.{name}" if mllm else name.replace(".g_weight", ".gamma")] = tensor
    torch.save({"state_dict": state} if wrapped else state, path)


def whole_state(tiny: TinySources) -> State:
    """A whole Sa2VA from the bases, with rows for the tokens and a projection from the checkpoint; float32."""
    state = base_state(tiny)
    for name, tensor in tiny.content()["state_dict"].items():
        canonical = canonical_name(name)
        if str(canonical).startswith("text_hidden_fcs.") or str(canonical).endswith(
            ("embed_tokens.weight", "lm_head.weight")
        ):
            state[canonical] = tensor.float()
    return state


def base_state(tiny: TinySources) -> State:
    """What the two bases hold, under the names of the official export; float32."""
    state = {name: tensor.float() for name, tensor in load_file(tiny.base / "model.safetensors").items()}
    for name, tensor in tiny.sam2_state().items():
        state[SAM2 + name.replace(".gamma", ".g_weight")] = tensor.float()
    return state


def fine_tuned(tiny: TinySources, beneath: Mapping[str, torch.Tensor], alpha: float = 8.0) -> State:
    """What training left: the checkpoint's tensors over those beneath, each LoRA pair on the weight that it changed."""
    state, pairs = dict(beneath), {}
    for name, tensor in tiny.content()["state_dict"].items():
        found = canonical_name(name)
        if isinstance(found, LoraName):
            pairs.setdefault(found.weight, {})[found.factor] = tensor.float()
        else:
            state[found] = tensor.float()
    for weight, pair in pairs.items():
        state[weight] = beneath[weight].float() + alpha / len(pair["A"]) * (pair["B"] @ pair["A"])
    return state


def exported(folder: Path) -> State:
    """A finished export's tensors under the names of the official one."""
    with open_source(folder) as source:
        native = {name: source.read(name).clone() for name in source.tensors}
    return {
        name: torch.cat([native[piece.target].chunk(piece.parts)[piece.part] for piece in pieces])
        for name, pieces in restore_map(inverse(native)).items()
    }


def require_equal(folder: Path, expected: Mapping[str, torch.Tensor]) -> None:
    """Every tensor of an export, to the bit."""
    found = exported(folder)
    assert found.keys() == expected.keys()
    different = [name for name, tensor in expected.items() if not torch.equal(found[name], tensor.float())]
    assert not different, different
