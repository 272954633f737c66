"""Tiny checkpoints in the layouts that are read, written by the tests themselves."""

import json
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

CONFIG_TEXT = """\
path = 'pretrained/base'
template = 'qwen_chat'
special_tokens = ['[SEG]', '<p>', '</p>', '<vp>', '</vp>']
model = dict(
    mllm=dict(model_path=path, llm_lora=dict(lora_alpha=8, r=4, type='peft.LoraConfig')),
    pretrained_pth=None,
    special_tokens=special_tokens,
    type='projects.sa2va.models.Sa2VAModel')
"""

LORA = "mllm.model.language_model.base_model.model.model.layers.0.self_attn.q_proj"


class Touch:
    """A pickle payload that creates a file when it is run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.marker}",)


def mmengine_entries(state: OrderedDict, config_text: str = CONFIG_TEXT) -> dict:
    """What mmengine's Runner saves, log history included."""
    from mmengine.logging import HistoryBuffer

    history = HistoryBuffer([0.5, 0.25], [1, 1])
    return {
        "meta": {
            "iter": 3672,
            "epoch": 1,
            "cfg": config_text,
            "seed": 7,
            "experiment_name": "tiny",
            "time": "20260102_030405",
            "mmengine_version": "0.10.7",
            "dataset_meta": {"classes": ("vessel",)},
        },
        "state_dict": state,
        "message_hub": {"log_scalars": OrderedDict(loss=history), "runtime_info": OrderedDict(iter=3672)},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
    }


EXPORT_TENSORS = {
    "vision_model.embeddings.class_embedding": torch.ones(1, 1, 2, dtype=torch.bfloat16),
    "language_model.model.embed_tokens.weight": torch.arange(10.0).reshape(5, 2),
    "mlp1.0.weight": torch.ones(2),
    "grounding_encoder.sam2_model.no_mem_embed": torch.zeros(1, 1, 2),
}


def write_sharded(folder: Path, shards: dict[str, dict[str, torch.Tensor]], weight_map: dict[str, str]) -> Path:
    """A folder of safetensors shards and an index, which need not agree."""
    folder.mkdir(exist_ok=True)
    for name, tensors in shards.items():
        save_file(tensors, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder
