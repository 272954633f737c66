"""Convert a model of the size of InternVL3-8B with Hiera-L, made of random weights, and report time and memory.

Writes about 39 GB below the given folder and deletes it afterwards: `python scripts/convert_8b.py [FOLDER]`. The
conversion runs as the command line does, in a process of its own whose memory is watched; then the export is mapped
back to the official names and compared with what was generated.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.checkpoints.convert.key_map import restore_map
from helpers.checkpoints.convert.weights import index_json, lay_out, row_blocks, tensor_bytes, write_shard
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.atomic import require_free_space
from tests.support.real_sizes import (
    BASE_VOCABULARY,
    LANGUAGE,
    VISION,
    Shapes,
    base_shapes,
    native_shapes,
    partial_shapes,
    sam2_shapes,
)

NEEDED_BYTES = 45_000_000_000
SHARD_BYTES = 2_000_000_000
ADDED_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>")
TRAINING_CONFIG = """template = 'internlm2_chat'
path = './pretrained/InternVL3-8B'
special_tokens = ['[SEG]', '<p>', '</p>', '<vp>', '</vp>']
model = dict(mllm=dict(model_path=path, llm_lora=dict(r=64, lora_alpha=128)))
"""


def random_blocks(shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[torch.Tensor]:
    for start, stop in row_blocks(shape):
        yield (0.02 * torch.randn(stop - start, *shape[1:])).to(dtype)


def write_base(folder: Path) -> None:
    """The InternVL3-8B base: random bfloat16 weights, its config, and a tokenizer of its length."""
    folder.mkdir()
    shapes = base_shapes()
    sizes = {name: tensor_bytes(shape, torch.bfloat16) for name, shape in shapes.items()}
    shards = lay_out(sizes, SHARD_BYTES)
    for shard in tqdm(shards, desc="base", unit="shard"):
        part = {name: shapes[name] for name in shard.tensors}
        blocks = ((name, random_blocks(shape, torch.bfloat16)) for name, shape in part.items())
        write_shard(folder / shard.name, part, torch.bfloat16, blocks)
    index = index_json(shards, sum(sizes.values()))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"model_type": "internvl_chat", "downsample_ratio": 0.5, "ps_version": "v2", "select_layer": -1,
              "vision_config": VISION, "llm_config": LANGUAGE}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)


def write_tokenizer(folder: Path) -> None:
    """A tokenizer with as many tokens as the real one; its words are numbers, for lack of the real vocabulary."""
    first_added = BASE_VOCABULARY - len(ADDED_TOKENS)
    (folder / "vocab.json").write_text(json.dumps({f"w{index}": index for index in range(first_added)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    decoder = {
        str(first_added + offset): {"content": token, "lstrip": False, "normalized": False, "rstrip": False,
                                    "single_word": False, "special": True}
        for offset, token in enumerate(ADDED_TOKENS)
    }  # fmt: skip
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
              "added_tokens_decoder": decoder}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def random_state(shapes: Shapes, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {name: (0.02 * torch.randn(shape)).to(dtype) for name, shape in shapes.items()}


def write_sources(folder: Path) -> None:
    """Base, SAM2 file and partial checkpoint with the dtypes of real ones."""
    write_base(folder / "InternVL3-8B")
    torch.save({"model": random_state(sam2_shapes(), torch.float32)}, folder / "sam2_hiera_large.pt")
    state = random_state(partial_shapes(), torch.float32)
    torch.save({"meta": {"iter": 3672, "epoch": 1, "cfg": TRAINING_CONFIG}, "state_dict": state},
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


def count_differences(folder: Path, output: Path) -> tuple[int, int]:
    """Map the export back to official names; how many tensors were compared with the sources, and how many differ.

    Merged tensors have no counterpart in a source and are left to `vesselkit verify`.
    """
    exported = open_source(output)
    base = open_source(folder / "InternVL3-8B")
    merged = {f"language_model.model.layers.{layer}.{name}_proj.weight" for layer in range(28)
              for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up",
                           "mlp.down")}  # fmt: skip
    overridden = {name for name in base.tensors if name.startswith("mlp1.")}
    overridden |= {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"}
    names = [name for name in base.tensors if name not in merged | overridden]
    differing = 0
    for name, pieces in tqdm(restore_map(names).items(), desc="mapping back", unit="tensor"):
        parts = [exported.read(piece.target).chunk(piece.parts)[piece.part] for piece in pieces]
        differing += not torch.equal(torch.cat(parts), base.read(name))
    return len(names), differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("outputs"), help="where to write")
    parser.add_argument("--verify", action="store_true", help="also run `vesselkit verify` on the export")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    require_free_space(arguments.folder, NEEDED_BYTES, "the whole trial")
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".trial-8b-") as scratch:
        folder = Path(scratch)
        start = time.perf_counter()
        write_sources(folder)
        print(f"generated in {time.perf_counter() - start:.0f} s")
        sources = ["--checkpoint", str(folder / "iter_3672.pth"), "--base", str(folder / "InternVL3-8B"),
                   "--sam2", str(folder / "sam2_hiera_large.pt")]  # fmt: skip
        output = folder / "export"
        cli = [sys.executable, "-c", "from helpers.cli.app import main; main()"]
        seconds, anonymous, resident = watch([*cli, "convert", *sources, "--output", str(output)])
        size = sum(path.stat().st_size for path in output.glob("*.safetensors"))
        shards = len(list(output.glob("*.safetensors")))
        tensors = len(json.loads((output / "conversion.json").read_text())["targets"])
        print(f"converted {tensors} of {len(native_shapes())} tensors, {size / 1e9:.2f} GB in {shards} shards")
        print(f"time {seconds:.0f} s, peak anonymous memory {anonymous / 1e9:.2f} GB, peak RSS {resident / 1e9:.2f} GB")
        compared, differing = count_differences(folder, output)
        print(f"mapped back: {compared} unchanged base tensors compared bit for bit, {differing} differ")
        if arguments.verify:
            seconds, _, _ = watch([*cli, "verify", str(output), *sources])
            print(f"verified in {seconds:.0f} s")


if __name__ == "__main__":
    main()
