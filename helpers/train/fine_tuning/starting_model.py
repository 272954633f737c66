"""The model that training starts from: an InternVL base with a SAM2 file, or a Sa2VA that was trained before."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AutoTokenizer

from helpers.checkpoints.convert.common_names import is_internlm2
from helpers.checkpoints.convert.conversion_settings import Setting, check_template, read_sam2_sizes
from helpers.checkpoints.convert.model_config import native_model, require_fields, ties_head
from helpers.checkpoints.convert.plan import EMBEDDINGS, LM_HEAD, SourceRole
from helpers.checkpoints.convert.planning import make_plan
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.checkpoints.convert.weights import Weights
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource, open_source
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.modeling_sa2va import Sa2VAModel

ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_NEW = ("seg_projection.",)
_SPREAD = 0.02  # of new embedding rows about the mean of the old


class Initial(NamedTuple):
    """A model on the CPU in float32, and its tokenizer."""

    model: Sa2VAModel
    tokenizer: Any


def from_bases(
    base: Path,
    sam2: Path,
    sam2_config: str,
    template: str,
    special_tokens: tuple[str, ...],
    random: torch.Generator,
) -> Initial:
    """Sa2VA before any training: the two bases, new rows for Sa2VA's tokens, a random `[SEG]` projection.

    Args:
        base: folder of an InternVL model.
        sam2: SAM 2.0 file.
        sam2_config: name of a preset, or a JSON file of sizes.
        template: name of the chat template.
        special_tokens: in the order of their ids.
        random: draws what no base holds.
    Raises:
        UsageProblem: for a file or option of the wrong kind.
        RefusedInput: where the tensors do not add up.
    """
    check_template(Setting("template", template, "the training config"))
    sources = {
        SourceRole.SAM2: _opened(sam2, CheckpointKind.SAM2),
        SourceRole.BASE: _opened(base, CheckpointKind.INTERNVL_BASE),
    }
    official = sources[SourceRole.BASE].required_config
    origin = base / "config.json"
    require_fields(official, origin)
    if is_internlm2(sources[SourceRole.BASE].tensors):
        raise RefusedInput(
            f"{base}: expected a language model that this kit trains, found InternLM2, which it only "
            "converts and predicts with. Train it with the official code, and convert the checkpoint"
        )
    with tempfile.TemporaryDirectory() as folder:
        facts = write_tokenizer(base, Path(folder), special_tokens)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tied = ties_head(official)
    sizes = read_sam2_sizes(sam2_config).to_dict()
    config, native = native_model(official, origin, sizes, template, special_tokens, facts, tied, "float32")
    shapes = {role: {name: tensor.shape for name, tensor in source.tensors.items()} for role, source in sources.items()}
    rows = _embedding_rows(sources[SourceRole.BASE])
    targets = {
        name: (rows, *shape[1:]) if name in (EMBEDDINGS, LM_HEAD) else shape
        for name, shape in native.items()
        if not name.startswith(_NEW)
    }
    plan = make_plan(shapes, targets, tied=tied)
    weights = Weights(sources, torch.float32)
    model = Sa2VAModel(config)
    state = model.state_dict()
    with torch.no_grad():
        for target in plan.targets:
            found, place = weights.tensor(target), state[target.name]
            if len(place.shape) and len(place) != len(found):
                found = _with_rows(found, len(place), random)
            place.copy_(found)
        for name, parameter in model.seg_projection.named_parameters():
            bound = model.config.hidden_size**-0.5
            drawn = torch.rand(parameter.shape, generator=random) * 2 * bound - bound
            parameter.copy_(drawn if name.endswith("weight") else torch.zeros_like(drawn))
    model.tie_weights()
    return Initial(model, tokenizer)


def _opened(path: Path, kind: CheckpointKind) -> TensorSource:
    source = open_source(path)
    if source.kind is not kind:
        raise UsageProblem(f"{path}: expected a source of kind '{kind.value}', found one of kind '{source.kind.value}'")
    return source


def _embedding_rows(base: TensorSource) -> int:
    tensors: Mapping[str, Any] = base.tensors
    found = [tensor.shape[0] for name, tensor in tensors.items() if name.endswith("embed_tokens.weight")]
    if len(found) != 1:
        raise RefusedInput(f"{base.path}: expected one embed_tokens.weight, found {len(found)}")
    return found[0]


def _with_rows(table: torch.Tensor, rows: int, random: torch.Generator) -> torch.Tensor:
    """The first `rows` rows of a table, new ones drawn about the mean of all: (rows, width)."""
    if rows <= len(table):
        return table[:rows]
    mean = table.mean(dim=0, keepdim=True)
    drawn = mean + _SPREAD * torch.randn((rows - len(table), table.shape[1]), generator=random)
    return torch.cat([table, drawn])


class LoraLinear(nn.Module):
    """A frozen linear layer plus `scale` B A, the change computed in float32 unless autocast says otherwise.

    Attributes:
        down: A, (rank, in). up: B, (out, rank), zero at first.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, random: torch.Generator, dropout: float = 0.0):
        super().__init__()
        self.linear = linear
        self.scale = alpha / rank
        width = linear.in_features
        self.down = nn.Parameter(torch.randn((rank, width), generator=random) / math.sqrt(width))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        change = nn.functional.linear(nn.functional.linear(self.dropout(states), self.down), self.up)
        return self.linear(states) + self.scale * change


def add_adapters(
    language_model: nn.Module, rank: int, alpha: float, random: torch.Generator, dropout: float = 0.0
) -> dict[str, LoraLinear]:
    """Put an adapter around each layer named in `ADAPTED`; the adapters by the name of their layer."""
    linears = {name: module for name, module in language_model.named_modules() if name.rpartition(".")[2] in ADAPTED}
    adapters = {}
    for name, linear in linears.items():
        parent, _, child = name.rpartition(".")
        adapters[name] = LoraLinear(linear, rank, alpha, random, dropout)
        setattr(language_model.get_submodule(parent), child, adapters[name])
    return adapters
