"""The `convert` line of a checkpoint: published sizes by shapes alone, names of the run before published ones."""

import math
import shlex
from pathlib import Path

import pytest
import torch

from helpers.checkpoints.read import convert_line as convert_line_module
from helpers.checkpoints.read.convert_line import PUBLISHED, SAM2_BYTES, SAM2_FILE, convert_line, published_model
from helpers.checkpoints.read.inspection import inspect_checkpoint
from helpers.checkpoints.read.tensor_groups import TensorGroup
from helpers.checkpoints.read.train_config import read_training_config
from helpers.checkpoints.read.weight_file import TensorInfo
from helpers.checkpoints.read.weight_source import CheckpointKind
from tests.support import internlm2_sizes, qwen3_vl_sizes, real_sizes
from tests.support.qwen2_5_vl_sizes import QWEN2_5_VL_3B, QWEN2_5_VL_7B
from tests.support.tiny_sources import qwen_vl_sources

INTERNLM2 = internlm2_sizes.REAL_SIZES.values()
SHAPES = {
    ("InternVL", 3584, 28): (real_sizes.partial_shapes, real_sizes.base_shapes, real_sizes.native_shapes),
    **{
        ("InternVL", size.text["hidden_size"], size.text["num_hidden_layers"]): tuple(
            lambda shapes=shapes, size=size: shapes(size)
            for shapes in (internlm2_sizes.partial_shapes, internlm2_sizes.base_shapes, internlm2_sizes.native_shapes)
        )
        for size in INTERNLM2
    },
    **{
        ("Qwen2.5-VL", size.width, size.layers): (size.partial_shapes, size.base_shapes, size.native_shapes)
        for size in (QWEN2_5_VL_3B, QWEN2_5_VL_7B)
    },
    ("Qwen3-VL", 2560, 36): (qwen3_vl_sizes.partial_shapes, qwen3_vl_sizes.base_shapes, qwen3_vl_sizes.native_shapes),
}
PATH = Path("work dir/iter_9.pth")


def infos(shapes):
    return [TensorInfo(name, tuple(shape), torch.bfloat16) for name, shape in shapes.items()]


def values(shapes):
    return sum(map(math.prod, shapes.values()))


@pytest.mark.parametrize("key", PUBLISHED, ids=lambda key: PUBLISHED[key].folder)
def test_a_partial_checkpoint_and_a_base_tell_the_published_model_and_its_bytes(key):
    partial, base, native = SHAPES[key]
    model, stored = PUBLISHED[key], base()
    assert published_model(key[0], infos(partial())) is published_model(key[0], infos(stored)) is model
    assert (model.base_bytes, model.export_bytes) == (2 * values(stored), 2 * values(native()))


def test_the_bytes_of_sam2s_file_are_those_of_its_tensors():
    assert pytest.approx(4 * values(real_sizes.sam2_shapes()), rel=1e-3) == SAM2_BYTES


def test_other_sizes_are_no_published_model():
    shapes = QWEN2_5_VL_3B.partial_shapes()
    assert published_model("Qwen3-VL", infos(shapes)) is None and published_model(None, infos(shapes)) is None
    assert published_model("Qwen2.5-VL", []) is None
    fewer = {name: shape for name, shape in shapes.items() if ".layers.35." not in name}
    assert published_model("Qwen2.5-VL", infos(fewer)) is None
    none = {name: shape for name, shape in shapes.items() if ".layers." not in name}
    assert published_model("Qwen2.5-VL", infos(none)) is None


def test_layers_are_counted_from_their_numbers(monkeypatch):
    monkeypatch.setattr(convert_line_module, "PUBLISHED", {("Qwen2.5-VL", 4, 1): "one", ("Qwen2.5-VL", 4, 0): "none"})
    shapes = {"model.embed_tokens.weight": (9, 4), "model.layers.0.mlp.up_proj.weight": (4, 4)}
    assert published_model("Qwen2.5-VL", infos(shapes)) == "one"
    assert published_model("Qwen2.5-VL", infos(dict(list(shapes.items())[:1]))) == "none"


def config(text):
    return read_training_config(text, "cfg")


def test_names_of_the_run_go_before_published_ones():
    model = PUBLISHED["Qwen2.5-VL", 2048, 36]
    found = convert_line(PATH, CheckpointKind.MMENGINE, [TensorGroup.LORA], None, model)
    assert found.line == (
        "vesselkit convert --checkpoint 'work dir/iter_9.pth' --base Qwen2.5-VL-3B-Instruct --sam2 sam2_hiera_large.pt "
        "--output my-model"
    )
    assert found.needs == ((model.folder, model.base_bytes), (SAM2_FILE, SAM2_BYTES))
    run = config("model = dict(mllm=dict(model_path=r'D:\\bases\\My Qwen'), pretrained_pth='old/Sa2VA.pth')")
    found = convert_line(PATH, CheckpointKind.MMENGINE, [TensorGroup.LORA], run, model)
    assert shlex.split(found.line)[4:] == [
        *("--base", "My Qwen", "--sam2", SAM2_FILE, "--pretrained", "Sa2VA.pth", "--output", "my-model")
    ]
    assert found.needs[2] == ("Sa2VA.pth", model.export_bytes) and found.output_bytes == model.export_bytes


def test_a_whole_checkpoint_and_an_adapter_need_no_sam2_and_an_export_nothing(tmp_path):
    whole = convert_line(PATH, CheckpointKind.FLAT, [TensorGroup.IMAGE_ENCODER], None, None)
    assert shlex.split(whole.line)[4:] == ["--base", "BASE_FOLDER", "--output", "my-model"]
    assert whole.needs == (("BASE_FOLDER", None),) and whole.output_bytes is None
    adapter = convert_line(PATH, CheckpointKind.PEFT_ADAPTER, [TensorGroup.LORA], None, None)
    assert shlex.split(adapter.line)[4:] == ["--base", "SA2VA_FOLDER", "--output", "my-model"]
    export = convert_line(tmp_path, CheckpointKind.HF_EXPORT, [], None, None)
    assert shlex.split(export.line)[3:] == [str(tmp_path), "--output", "my-model"] and export.needs == ()


@pytest.mark.parametrize("kind", ["INTERNVL_BASE", "QWEN_VL_BASE", "SAM2", "NATIVE", "OTHER"])
def test_what_is_no_checkpoint_of_a_run_has_no_line(kind):
    assert convert_line(PATH, CheckpointKind[kind], [], None, None) is None


def test_inspect_shows_the_line():
    tiny = qwen_vl_sources("qwen25vl")
    found = inspect_checkpoint(tiny.checkpoint)
    line = shlex.join(["vesselkit", "convert", "--checkpoint", str(tiny.checkpoint), "--base", "qwen2_5vl_base",
                       "--sam2", SAM2_FILE, "--output", "my-model"])  # fmt: skip
    assert f"to convert        {line}\nwhich needs       qwen2_5vl_base, {SAM2_FILE} 898 MB\n" in found.to_text()
    assert found.to_dict()["conversion"]["line"] == line and found.to_dict()["size"] is None
    assert inspect_checkpoint(tiny.base).to_dict()["conversion"] is None


# What Sa2VA of each size is trained from, by the width and the number of layers of its language model.
NAMES = {
    ("InternVL", 3584, 28): ("8B", "InternVL3-8B"),
    ("InternVL", 4096, 32): ("8B", "InternVL2_5-8B"),
    ("InternVL", 6144, 48): ("26B", "InternVL2_5-26B"),
    ("Qwen2.5-VL", 2048, 36): ("3B", "Qwen2.5-VL-3B-Instruct"),
    ("Qwen2.5-VL", 3584, 28): ("7B", "Qwen2.5-VL-7B-Instruct"),
    ("Qwen3-VL", 2560, 36): ("4B", "Qwen3-VL-4B-Instruct"),
}


def test_names_and_sizes_of_the_published_bases():
    assert {key: (model.size, model.folder) for key, model in PUBLISHED.items()} == NAMES


def test_a_family_that_is_not_known_has_no_published_model():
    assert published_model(None, infos(real_sizes.base_shapes())) is None


@pytest.mark.parametrize(
    ("path", "name", "size"),
    [
        ("pretrained/sam2_hiera_large.pt", "sam2_hiera_large.pt", SAM2_BYTES),
        (r"D:\\sam\\sam2_tiny.pt", "sam2_tiny.pt", None),
        ("", "sam2_hiera_large.pt", SAM2_BYTES),
    ],
)
def test_the_size_of_sam2s_file_is_known_of_the_official_one(path, name, size):
    run = config(f"model = dict(grounding_encoder=dict(ckpt_path='{path}'))")
    found = convert_line(PATH, CheckpointKind.MMENGINE, [TensorGroup.LORA], run, None)
    assert found.needs == (("BASE_FOLDER", None), (name, size)) and found.output_bytes is None


def test_an_adapter_is_put_on_a_sa2va_of_its_size_and_a_file_of_an_export_has_no_line():
    model = PUBLISHED["Qwen3-VL", 2560, 36]
    adapter = convert_line(PATH, CheckpointKind.PEFT_ADAPTER, [TensorGroup.LORA], None, model)
    assert adapter.needs == (("SA2VA_FOLDER", model.export_bytes),) and adapter.output_bytes == model.export_bytes
    assert convert_line(PATH, CheckpointKind.HF_EXPORT, [], None, None) is None
