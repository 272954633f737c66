"""What a receipt says of a tensor, computed value by value, and how its script is called."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers.checkpoints.receipt import receipt_script
from helpers.checkpoints.receipt.receipt_file import read_receipt
from helpers.checkpoints.receipt.receipt_script import Watch, fingerprint, signs, tensors_of, write_receipt
from tests.support.tiny_official import TinyModules

WORD = 1 << 64


def sign_of(place: int) -> float:
    """The sign of a place, in whole numbers of any length."""
    mixed = place * 0x9E3779B97F4A7C15 % WORD
    mixed ^= mixed >> 29
    mixed = mixed * 0xBF58476D1CE4E5B9 % WORD
    mixed ^= mixed >> 32
    return -1.0 if mixed & 1 else 1.0


def test_signs_are_the_last_bits_of_a_hash_of_the_place():
    assert signs(2000).tolist() == [sign_of(place) for place in range(2000)]


def test_a_sketch_value_by_value(monkeypatch):
    monkeypatch.setattr(receipt_script, "_BLOCK", 64)
    monkeypatch.setattr(receipt_script, "_SIGNS", signs(64))
    values = torch.arange(64 * 65 + 5) % 251  # whole numbers up to 256 are exact in bfloat16
    expected = np.zeros(32)
    for place, value in enumerate(values.tolist()):
        block, within = divmod(place, 64)
        turn = -1 if block // 32 % 2 else 1
        expected[(within + block) % 32] += turn * sign_of(within) * value
    facts, sketch = fingerprint(values.float())
    assert sketch.tolist() == expected.tolist()
    assert facts["norm"] == pytest.approx(float((values.double() ** 2).sum()) ** 0.5, rel=1e-12)


def test_hashes_are_of_all_bytes_whatever_the_blocks(monkeypatch):
    values = torch.arange(200.0)
    whole = fingerprint(values)[0]
    monkeypatch.setattr(receipt_script, "_BLOCK", 64)
    assert fingerprint(values)[0] == whole
    assert whole["sha256"] != whole["sha256_bfloat16"] == fingerprint(values.bfloat16())[0]["sha256"]


class Bare(nn.Module):
    """A layer with LoRA of a peft that does not say whether it is merged or switched off."""

    def __init__(self):
        super().__init__()
        self.base_layer = nn.Linear(1, 1, bias=False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(1, 1, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(1, 1, bias=False)})
        self.scaling, self.active_adapters = {"default": 10.0}, ["default"]
        for layer, value in ((self.base_layer, 1.0), (self.lora_A["default"], 2.0), (self.lora_B["default"], 3.0)):
            layer.weight.data.fill_(value)


def test_lora_of_a_layer_that_says_nothing_of_it_is_in_force():
    assert {name: one.tolist() for name, one in tensors_of(nn.ModuleDict({"q": Bare()}))} == {"q.weight": [[61.0]]}


def test_a_wrapped_module_without_lora_keeps_its_names():
    model = nn.Module()
    model.base_layer = nn.Linear(1, 1, bias=False)
    assert list(dict(tensors_of(model))) == ["base_layer.weight"]


def test_the_facts_of_a_receipt(tmp_path):
    model = TinyModules()
    write_receipt(model, tmp_path / "receipt.npz", frames=[Image.new("L", (3, 2))], prompt="Vessels?", call=model.call)
    with np.load(tmp_path / "receipt.npz") as stored:
        header = json.loads(stored["header"].tobytes())
    names = [
        "schema",
        "schema_version",
        "created",
        "prompt",
        "drawn",
        "dtype",
        "device",
        "versions",
        "frames",
        "tensors",
    ]
    assert list(header) == names and header["prompt"] == "Vessels?"
    assert list(header["versions"]) == ["python", "torch", "transformers", "pillow", "numpy"]
    assert header["created"].endswith("+00:00") and len(header["created"]) == len("2026-01-01T00:00:00+00:00")
    assert set(header["tensors"][0]) == {"name", "shape", "dtype", "sha256", "sha256_bfloat16", "norm"}
    assert read_receipt(tmp_path / "receipt.npz").prompt == "Vessels?"


@pytest.fixture
def asked(monkeypatch):
    """What the command line asks of the model's loader and of the recorder."""
    told = {}
    monkeypatch.setattr(receipt_script, "load_official", lambda *given: told.update(load=given) or ("m", "t", "p"))
    monkeypatch.setattr(receipt_script, "write_receipt", lambda *given: told.update(write=given))
    monkeypatch.setattr(receipt_script.torch.cuda, "is_available", lambda: False)
    return told


@pytest.mark.parametrize(
    ("words", "dtype", "device"),
    [
        ((), torch.float32, "cpu"),
        (("--device", "cuda"), torch.bfloat16, "cuda"),
        (("--device", "cuda", "--dtype", "float16"), torch.float16, "cuda"),
        (("--dtype", "bfloat16"), torch.bfloat16, "cpu"),
        (("--device", "cuda", "--dtype", "float32"), torch.float32, "cuda"),
    ],
)
def test_the_command_line_chooses_dtype_and_device(tmp_path, asked, capsys, words, dtype, device):
    output = str(tmp_path / "receipt.npz")
    receipt_script.main(["--model", "folder", "--output", output, *words])
    assert asked["load"] == ("folder", dtype, device)
    assert asked["write"] == ("m", output, "t", None, "Please segment the blood vessels.", "p")
    assert (
        f"written: {output}; next: vesselkit verify MODEL --receipt {output} --data FRAMES" in capsys.readouterr().out
    )


def test_the_command_line_takes_frames_and_words(tmp_path, asked):
    Image.new("L", (2, 1), 7).save(tmp_path / "a.png")
    frame = str(tmp_path / "a.png")
    output = ["--model", "folder", "--output", str(tmp_path / "receipt.npz")]
    receipt_script.main([*output, "--frames", frame, frame, "--prompt", "Where?"])
    frames, prompt = asked["write"][3:5]
    assert [(one.mode, one.size, one.getpixel((0, 0))) for one in frames] == [("RGB", (2, 1), (7, 7, 7))] * 2
    assert prompt == "Where?"
    for wrong in (["--dtype", "float64"], ["--model"]):
        with pytest.raises(SystemExit):
            receipt_script.main([*output, *wrong])
    for part in (output[:2], output[2:]):
        with pytest.raises(SystemExit):
            receipt_script.main(part)


def test_the_processor_of_a_folder_that_has_one_is_loaded_without_a_network(monkeypatch, tmp_path):
    (tmp_path / "preprocessor_config.json").touch()
    given = {}

    def loading(name):
        return lambda folder, **settings: given.update({name: (folder, settings)}) or TinyModules()

    for name in ("AutoModel", "AutoTokenizer", "AutoProcessor"):
        monkeypatch.setattr(getattr(receipt_script, name), "from_pretrained", loading(name))
    _, _, processor = receipt_script.load_official(str(tmp_path), torch.float16, "cpu")
    assert processor is not None
    local = (str(tmp_path), {"trust_remote_code": True, "local_files_only": True})
    assert given["AutoProcessor"] == given["AutoTokenizer"] == local


def test_a_block_has_as_many_values_as_the_format_says():
    """2 ** 22: the first value behind them is the first of the second block, and goes one bucket further."""
    values = torch.zeros((1 << 22) + 1, dtype=torch.bfloat16)
    values[-1] = 3
    assert np.flatnonzero(fingerprint(values)[1]).tolist() == [1]
    values[-2:] = torch.tensor([3, 0])
    assert np.flatnonzero(fingerprint(values)[1]).tolist() == [31]


@pytest.mark.parametrize("tower", ["vision_model", "visual", "vision_tower"])
@pytest.mark.parametrize("projector", ["mlp1", "multi_modal_projector", None])
def test_every_name_of_a_tower_and_a_projector_is_found(tower, projector):
    others = {"words": "embed_tokens", "projection": "seg_projection", "square": "image_encoder"}
    ends = {"tower": tower, "projector": projector, **others, "decoder": "sam_mask_decoder"}
    names = {seam: f"model.{end}" for seam, end in ends.items() if end is not None}
    model = SimpleNamespace(named_modules=lambda: iter((name, seam) for seam, name in names.items()))
    assert Watch(model).modules == {seam: seam for seam in names}
