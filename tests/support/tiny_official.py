"""A folder with code of its own and the module names of an official Sa2VA, which computes next to nothing."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tests.support.tiny_sources import FIXTURES

_CONFIG = """
from transformers import PretrainedConfig


class TinyConfig(PretrainedConfig):
    model_type = "sa2va_chat"
"""
_MODEL = """
import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_tiny import TinyConfig


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(1000, 8)

    def generate(self, ids):
        self.embed_tokens(ids)
        return torch.tensor([[5, 6, 7]])


class Sam(nn.Module):
    def __init__(self):
        super().__init__()
        self.image_encoder = nn.Conv2d(3, 4, 4, 4)
        self.sam_mask_decoder = Decoder()


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, features, prompt):
        masks = (features * prompt[None, :, None, None] * self.scale[None, :, None, None])
        return masks, masks.mean((2, 3)), None, None


class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.vision_model = nn.Conv2d(3, 4, 8, 8)
        self.mlp1 = nn.Linear(4, 8)
        self.language_model = Language()
        self.text_hidden_fcs = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
        self.grounding_encoder = nn.ModuleDict({"sam2_model": Sam()})
        self.post_init()

    def preparing_for_generation(self, tokenizer, max_new_tokens=2048, torch_dtype=torch.bfloat16):
        self.asked_dtype = torch_dtype

    def predict_forward(self, image=None, video=None, text=None, tokenizer=None, processor=None):
        pixels = torch.full((1, 3, 16, 16), image.getpixel((0, 0))[0] / 255, dtype=self.asked_dtype)
        tokens = self.mlp1(self.vision_model(pixels).flatten(2).transpose(1, 2))
        self.language_model.generate(torch.tensor([tokenizer.encode(text)]))
        (prompt,) = self.text_hidden_fcs(tokens.mean(1))
        sam = self.grounding_encoder["sam2_model"]
        masks, _, _, _ = sam.sam_mask_decoder(sam.image_encoder(pixels), prompt)
        mask = torch.ones(1, image.height, image.width, dtype=torch.bool)
        return {"prediction": "Sure, it is [SEG].", "prediction_masks": [mask.numpy()]}
"""


def write_tiny_official(folder: Path) -> Path:
    """Write the folder, with the tokenizer of the fixture's base and weights of ones."""
    folder.mkdir()
    (folder / "configuration_tiny.py").write_text(_CONFIG)
    (folder / "modeling_tiny.py").write_text(_MODEL)
    auto_map = {"AutoConfig": "configuration_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}
    config = {"model_type": "sa2va_chat", "auto_map": auto_map, "architectures": ["TinyModel"]}
    (folder / "config.json").write_text(json.dumps(config))
    for path in (FIXTURES / "base/internvl_base").iterdir():
        if path.name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
            shutil.copy(path, folder)
    save_file(_weights(), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _weights() -> dict:
    sam2 = "grounding_encoder.sam2_model."
    shapes = {
        "vision_model.weight": (4, 3, 8, 8),
        "vision_model.bias": (4,),
        "mlp1.weight": (8, 4),
        "mlp1.bias": (8,),
        "language_model.embed_tokens.weight": (1000, 8),
        "text_hidden_fcs.0.weight": (8, 8),
        "text_hidden_fcs.0.bias": (8,),
        "text_hidden_fcs.2.weight": (4, 8),
        "text_hidden_fcs.2.bias": (4,),
        f"{sam2}image_encoder.weight": (4, 3, 4, 4),
        f"{sam2}image_encoder.bias": (4,),
        f"{sam2}sam_mask_decoder.scale": (4,),
    }
    return {name: torch.ones(shape) for name, shape in shapes.items()}


class Decoder(nn.Module):
    """Three masks of one value each."""

    def forward(self, value: torch.Tensor) -> tuple:
        return torch.ones(1, 3, 2, 2) * value, torch.tensor([[0.1, 0.3, 0.2]]), None, None


class TinyModules(nn.Module):
    """Modules of the official names in memory, without `predict_forward`."""

    def __init__(self):
        super().__init__()
        for name in ("vision_model", "mlp1", "image_encoder"):
            self.add_module(name, nn.Linear(1, 1))
        self.embed_tokens = nn.Embedding(4, 1)
        self.text_hidden_fcs = nn.Sequential(nn.Linear(1, 1))
        self.sam_mask_decoder = Decoder()
        for parameter in self.parameters():
            nn.init.ones_(parameter)

    def call(self, image, prompt: str) -> str:
        """Pass once through every seam."""
        value = torch.full((1, 1), float(image.getpixel((0, 0))[0]))
        self.mlp1(self.vision_model(value))
        self.embed_tokens(torch.tensor([[1, 2]]))
        self.text_hidden_fcs(value)
        self.sam_mask_decoder(self.image_encoder(value))
        return "Yes."
