"""Convert a model of a published size, made of random weights, and report time and memory.

`python scripts/convert_8b.py [FOLDER]` takes InternVL3-8B with Hiera-L and writes about 39 GB below the folder; with
`--model qwen3vl-4b` it is about 25 GB. They are deleted afterwards. The conversion runs as the command line does, in a
process of its own whose memory is watched; then what stayed as in the base is compared with what was generated.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.checkpoints.convert.key_map import Piece, restore_map
from helpers.checkpoints.convert.weights import index_json, lay_out, row_blocks, tensor_bytes, write_shard
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.atomic import require_free_space
from tests.support import qwen3_vl_sizes, real_sizes

Shapes = real_sizes.Shapes
SHARD_BYTES = 2_000_000_000
# Turns of words, with a picture's tokens before them.
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}{% for part in message.content %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' if part.type == 'image' else part.text }}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_TRAINING_CONFIG = """template = '{template}'
path = './pretrained/{name}'
special_tokens = ['[SEG]', '<p>', '</p>', '<vp>', '</vp>']
model = dict(mllm=dict({kind}model_path=path, llm_lora=dict(r={rank}, lora_alpha={alpha})))
"""
_CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_INTERNVL_TOKENS = dict(enumerate((*_CHAT, "<img>", "</img>", "<IMG_CONTEXT>"), real_sizes.BASE_VOCABULARY - 6))
_PICTURE = {151652: "<|vision_start|>", 151653: "<|vision_end|>", 151655: "<|image_pad|>"}
_QWEN_TOKENS = (
    {index: f"<|other_{index}|>" for index in range(151643, qwen3_vl_sizes.VOCABULARY - 5)}
    | dict(enumerate(_CHAT, 151643))
    | _PICTURE
)
# What is trained or merged, of a base's tensors.
_TRAINED = re.compile(r"mlp1\.|.*(embed_tokens|lm_head)\.weight|.*language_model\..*(self_attn|mlp)\.\w+_proj\.weight")


@dataclass(frozen=True)
class Model:
    """What is made of a published model.

    Attributes:
        base: name of the base's folder.
        needed: bytes of free disk.
        sizes: module of its names and shapes.
        config: the base's config.json.
        tokens: ids of the base's tokenizer.
        added: those that are no words.
        training_config: text in the checkpoint.
    """

    base: str
    needed: int
    sizes: Any
    config: dict[str, Any]
    tokens: int
    added: dict[int, str]
    training_config: str

    def export_names(self, names: Sequence[str]) -> Mapping[str, Sequence[Piece]]:
        """Where the export has the base's tensors."""
        if self.sizes is real_sizes:
            return restore_map(names)
        moved = {"model.visual.": "vision_tower.", "model.language_model.": "language_model.model."}
        return {
            name: [Piece(new + name.removeprefix(old))]
            for name in names
            for old, new in moved.items()
            if name.startswith(old)
        }


MODELS = {
    "internvl3-8b": Model(
        "InternVL3-8B",
        45_000_000_000,
        real_sizes,
        {"model_type": "internvl_chat", "downsample_ratio": 0.5, "ps_version": "v2", "select_layer": -1,
         "vision_config": real_sizes.VISION, "llm_config": real_sizes.LANGUAGE},
        real_sizes.BASE_VOCABULARY,
        _INTERNVL_TOKENS,
        _TRAINING_CONFIG.format(template="internlm2_chat", name="InternVL3-8B", kind="", rank=64, alpha=128),
    ),
    "qwen3vl-4b": Model(
        "Qwen3-VL-4B",
        30_000_000_000,
        qwen3_vl_sizes,
        {"architectures": ["Qwen3VLForConditionalGeneration"], **qwen3_vl_sizes.OFFICIAL},
        qwen3_vl_sizes.VOCABULARY - 5,
        _QWEN_TOKENS,
        _TRAINING_CONFIG.format(
            template="qwen_chat", name="Qwen3-VL-4B", kind="type='projects.sa2va.models.mllm.qwen3vl.Qwen3VL', ",
            rank=128, alpha=256,
        ),
    ),
}  # fmt: skip


@cache
def _drawn() -> torch.Tensor:
    return 0.02 * torch.randn(5_000_011)


def random_values(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Normally distributed values, drawn once and read from another place each time: drawing all takes too long."""
    drawn, count = _drawn().to(dtype), math.prod(shape)
    start = int(torch.randint(len(drawn), ()))
    return drawn.repeat(1 + (start + count) // len(drawn))[start : start + count].view(shape)


def random_blocks(shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[torch.Tensor]:
    for start, stop in row_blocks(shape):
        yield random_values((stop - start, *shape[1:]), dtype)


def write_base(folder: Path, model: Model) -> None:
    """The base: random bfloat16 weights, its config, and a tokenizer of its length."""
    folder.mkdir()
    shapes = model.sizes.base_shapes()
    sizes = {name: tensor_bytes(shape, torch.bfloat16) for name, shape in shapes.items()}
    shards = lay_out(sizes, SHARD_BYTES)
    for shard in tqdm(shards, desc="base", unit="shard"):
        part = {name: shapes[name] for name in shard.tensors}
        blocks = ((name, random_blocks(shape, torch.bfloat16)) for name, shape in part.items())
        write_shard(folder / shard.name, part, torch.bfloat16, blocks)
    index = index_json(shards, sum(sizes.values()))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(model.config))
    write_tokenizer(folder, model)


def write_tokenizer(folder: Path, model: Model) -> None:
    """A tokenizer with as many tokens as the real one; its words are numbers, for lack of the real vocabulary."""
    words = [index for index in range(model.tokens) if index not in model.added]
    (folder / "vocab.json").write_text(json.dumps({f"w{index}": index for index in words}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    decoder = {
        str(index): {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                     "special": True}
        for index, token in model.added.items()
    }  # fmt: skip
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
              "added_tokens_decoder": decoder, "chat_template": _CHAT_TEMPLATE}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def random_state(shapes: Shapes, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {name: random_values(shape, dtype).clone() for name, shape in shapes.items()}


def write_sources(folder: Path, model: Model) -> None:
    """Base, SAM2 file and partial checkpoint with the dtypes of real ones."""
    write_base(folder / model.base, model)
    torch.save({"model": random_state(real_sizes.sam2_shapes(), torch.float32)}, folder / "sam2_hiera_large.pt")
    state = random_state(model.sizes.partial_shapes(), torch.float32)
    torch.save({"meta": {"iter": 3672, "epoch": 1, "cfg": model.training_config}, "state_dict": state},
               folder / "iter_3672.pth")  # fmt: skip


def watch(command: list[str]) -> tuple[float, int, int]:
    """Run a command; returns seconds, peak anonymous bytes and peak resident bytes (read from /proc)."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    anonymous = resident = 0
    while process.poll() is None:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line
        )
        anonymous = max(anonymous, 1024 * int(status.get("RssAnon", "0 kB").split()[0]))
        resident = max(resident, 1024 * int(status.get("VmHWM", "0 kB").split()[0]))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"the conversion ended with exit code {process.returncode}")
    return time.perf_counter() - start, anonymous, resident


def count_differences(folder: Path, output: Path, model: Model) -> tuple[int, int]:
    """How many tensors of the base were compared with their places in the export, and how many differ.

    Merged tensors have no counterpart in a source and are left to `vesselkit verify`.
    """
    exported, base = open_source(output), open_source(folder / model.base)
    names = [name for name in base.tensors if not _TRAINED.match(name)]
    differing = 0
    for name, pieces in tqdm(model.export_names(names).items(), desc="mapping back", unit="tensor"):
        parts = [exported.read(piece.target).chunk(piece.parts)[piece.part] for piece in pieces]
        differing += not torch.equal(torch.cat(parts), base.read(name))
    return len(names), differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("outputs"), help="where to write")
    parser.add_argument("--model", choices=MODELS, default="internvl3-8b", help="whose sizes")
    parser.add_argument("--verify", action="store_true", help="also run `vesselkit verify` on the export")
    arguments = parser.parse_args()
    model = MODELS[arguments.model]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    require_free_space(arguments.folder, model.needed, "the whole trial")
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".trial-") as scratch:
        folder = Path(scratch)
        start = time.perf_counter()
        write_sources(folder, model)
        print(f"generated in {time.perf_counter() - start:.0f} s")
        sources = ["--checkpoint", str(folder / "iter_3672.pth"), "--base", str(folder / model.base),
                   "--sam2", str(folder / "sam2_hiera_large.pt")]  # fmt: skip
        output = folder / "export"
        cli = [sys.executable, "-c", "from helpers.cli.app import main; main()"]
        seconds, anonymous, resident = watch([*cli, "convert", *sources, "--output", str(output)])
        size = sum(path.stat().st_size for path in output.glob("*.safetensors"))
        shards = len(list(output.glob("*.safetensors")))
        tensors = len(json.loads((output / "conversion.json").read_text())["targets"])
        print(
            f"converted {tensors} of {len(model.sizes.native_shapes())} tensors, {size / 1e9:.2f} GB in {shards} shards"
        )
        print(f"time {seconds:.0f} s, peak anonymous memory {anonymous / 1e9:.2f} GB, peak RSS {resident / 1e9:.2f} GB")
        compared, differing = count_differences(folder, output, model)
        print(f"mapped back: {compared} unchanged base tensors compared bit for bit, {differing} differ")
        if arguments.verify:
            seconds, _, _ = watch([*cli, "verify", str(output), *sources])
            print(f"verified in {seconds:.0f} s")


if __name__ == "__main__":
    main()
