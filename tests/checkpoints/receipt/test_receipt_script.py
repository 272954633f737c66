"""The script that records what official code computes: fingerprints, LoRA, drawn frames, and the file by itself."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from helpers.checkpoints.receipt import receipt_script
from helpers.checkpoints.receipt.receipt_file import Fingerprint, read_receipt, read_script
from helpers.checkpoints.receipt.receipt_script import (
    Refused,
    Watch,
    drawn_frames,
    fingerprint,
    pixel_sha256,
    signs,
    tensors_of,
    write_receipt,
)
from helpers.data.frames.frame_source import pixel_sha256 as kit_sha256
from tests.support.tiny_official import TinyModules, write_tiny_official

# Runs a file as a program where the kit cannot be imported.
ALONE = "import runpy, sys; sys.modules['helpers'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


def print_of(tensor: torch.Tensor) -> Fingerprint:
    return Fingerprint.of(*fingerprint(tensor))


def test_one_value_and_its_bucket():
    facts, sketch = fingerprint(torch.tensor([[0.0, 3.0]]))
    assert facts["shape"] == [1, 2] and facts["dtype"] == "float32" and facts["norm"] == 3.0
    assert np.flatnonzero(sketch).tolist() == [1] and sketch[1] == 3.0 * signs(2)[1]


def test_dtypes_compare_by_what_they_are_in_bfloat16():
    wide = torch.tensor([1.0, 1.001, -2.5])
    narrow = wide.to(torch.bfloat16)
    one, other = print_of(wide), print_of(narrow)
    assert one.sha256 != other.sha256 and one.equals(other) and one.relative(other) == 0.0
    assert not print_of(torch.tensor([1.0, 1.01, -2.5])).equals(other)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1.0))
def test_sketches_estimate_the_distance(seed, step):
    random = torch.Generator().manual_seed(seed)
    tensor, change = (torch.randn(50, 40, generator=random) for _ in range(2))
    moved = tensor + step * change
    rounded = (moved.bfloat16().double() - tensor.bfloat16().double()).norm().item()
    assert 0.3 * rounded < print_of(tensor).distance(print_of(moved)) < 1.9 * rounded


def test_places_count(monkeypatch):
    monkeypatch.setattr(receipt_script, "_BLOCK", 64)
    monkeypatch.setattr(receipt_script, "_SIGNS", signs(64))
    blocks = torch.arange(256.0).reshape(4, 64)
    turned = blocks[[1, 0, 2, 3]]
    assert print_of(blocks).distance(print_of(turned)) > 0.3 * (blocks - turned).norm().item()
    many = torch.arange(64.0 * 64).reshape(64, 64)
    swapped = many[[32, *range(1, 32), 0, *range(33, 64)]]  # as far apart as a sketch has buckets
    assert print_of(many).distance(print_of(swapped)) > 0.3 * (many - swapped).norm().item()
    assert print_of(blocks.flatten()).distance(print_of(blocks)) == np.inf  # another shape


def test_values_that_are_no_numbers_differ_from_all():
    assert print_of(torch.tensor([1.0, float("nan")])).distance(print_of(torch.tensor([1.0, 2.0]))) == np.inf


class Adapted(nn.Module):
    """A linear layer as peft wraps it, rank 1."""

    def __init__(self, merged=False, disabled=False):
        super().__init__()
        self.base_layer = nn.Linear(2, 2)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(2, 1, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(1, 2, bias=False)})
        self.scaling, self.active_adapters = {"default": 2.0}, ["default"]
        self.merged, self.disable_adapters = merged, disabled
        nn.init.ones_(self.base_layer.weight)
        self.lora_A["default"].weight.data = torch.tensor([[1.0, 0.0]])
        self.lora_B["default"].weight.data = torch.tensor([[0.0], [3.0]])


def test_lora_in_force_is_merged():
    model = nn.ModuleDict({"q_proj": Adapted()})
    found = dict(tensors_of(model))
    assert list(found) == ["q_proj.weight", "q_proj.base_layer.bias"]
    assert found["q_proj.weight"].tolist() == [[1, 1], [7, 1]]
    for other in (Adapted(merged=True), Adapted(disabled=True)):
        assert dict(tensors_of(other))["weight"].tolist() == [[1, 1], [1, 1]]


def test_buffers_that_are_not_saved_and_copies_are_left_out():
    model = nn.Module()
    model.register_buffer("kept", torch.ones(1))
    model.register_buffer("passing", torch.ones(1), persistent=False)
    model.register_buffer("count", torch.ones(1, dtype=torch.long))
    model.add_module("original_module", nn.Linear(1, 1))
    model.add_module("wrapper", nn.ModuleDict({"original_module": nn.Linear(1, 1)}))
    assert set(dict(tensors_of(model))) == {"kept", "original_module.weight", "original_module.bias"}


def test_a_model_without_values_is_refused():
    with pytest.raises(Refused, match="weight: holds no values"):
        list(tensors_of(nn.Linear(1, 1, device="meta")))


def test_drawn_frames_are_the_same_everywhere():
    frames = drawn_frames(3)
    assert [frame.size for frame in frames] == [(512, 512), (640, 320), (384, 512)]
    assert [pixel_sha256(frame)[:16] for frame in frames] == DRAWN
    assert [kit_sha256(frame) for frame in frames] == [pixel_sha256(frame) for frame in frames]


DRAWN = ["45983cbff053a299", "4a943bbd007ccc45", "2c277971636129a0"]


def test_a_model_that_is_none_is_refused(tmp_path):
    with pytest.raises(Refused, match="expected a Sa2VA model, and found no module named vision_model"):
        Watch(nn.Linear(1, 1))


@pytest.fixture
def official(tmp_path):
    return write_tiny_official(tmp_path / "official")


def run_alone(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, script, *map(str, arguments)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=script.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_the_file_runs_by_itself(tmp_path, official):
    script = tmp_path / "receipt.py"
    script.write_bytes(read_script())
    frame = tmp_path / "Doe_Jane.png"
    Image.new("L", (5, 3), 51).save(frame)
    said = run_alone(script, "--model", official, "--output", tmp_path / "receipt.npz", "--frames", frame, frame)
    assert "next: vesselkit verify MODEL --receipt" in said.stdout
    receipt = read_receipt(tmp_path / "receipt.npz")
    assert not receipt.drawn and len(receipt.frames) == 2 and len(receipt.tensors) == 12
    (one, other) = receipt.frames
    assert one.pixels_sha256 == other.pixels_sha256 == kit_sha256(Image.open(frame).convert("RGB"))
    assert one.pixels.shape == (1, 3, 16, 16) and one.tower.shape == (4, 8) and one.square == one.pixels
    assert one.answer_ids == [5, 6, 7] and one.answer == "Sure, it is [SEG]." and len(one.prompt_ids) > 3
    assert one.states.shape == (1, 8) and one.projected.shape == (1, 4) and one.logits.shape == (1, 4, 4)
    assert one.best.tolist() == [0] and one.ious.shape == (1, 3)
    assert one.masks.shape == (1, 3, 5) and one.masks.all()
    # 3 x 8 x 8 ones of 0.2, and a one.
    assert one.pixels.norm == pytest.approx(np.sqrt(768) * 0.2, rel=2e-3)


def test_the_file_refuses_in_one_line(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    asked = [
        "--model",
        str(tmp_path),
        "--output",
        str(tmp_path / "receipt.npz"),
        "--frames",
        str(tmp_path / "deep.png"),
    ]
    with pytest.raises(SystemExit, match="^Error: .*8 bits"):
        receipt_script.main(asked)
    assert not (tmp_path / "receipt.npz").exists()


@pytest.mark.slow
def test_tensors_alone_and_calls_that_cannot_be(tmp_path):
    model = TinyModules()
    write_receipt(model, tmp_path / "receipt.npz", frames=[])
    assert read_receipt(tmp_path / "receipt.npz").frames == ()
    with pytest.raises(Refused, match="no predict_forward"):
        write_receipt(model, tmp_path / "receipt.npz")
    model.predict_forward = lambda **given: None
    with pytest.raises(Refused, match="tokenizer"):
        write_receipt(model, tmp_path / "receipt.npz")
    with pytest.raises(Refused, match="frame 1: expected grey or RGB"):
        write_receipt(model, tmp_path / "receipt.npz", frames=[Image.new("RGBA", (2, 2))])


def test_a_turned_photo_is_refused(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (2, 1)).save(tmp_path / "turned.jpg", exif=exif)
    with pytest.raises(Refused, match="EXIF"):
        write_receipt(TinyModules(), tmp_path / "receipt.npz", frames=[Image.open(tmp_path / "turned.jpg")])


class FourMasks(nn.Module):
    """SAM2's decoder where it gives the single mask too."""

    def forward(self, value):
        masks = torch.arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 2, 2)
        return masks, torch.tensor([[0.9, 0.1, 0.5, 0.2]]), None, None


def test_of_four_candidates_the_single_mask_does_not_count():
    model = TinyModules()
    model.sam_mask_decoder = FourMasks()
    with Watch(model) as seen:
        model.sam_mask_decoder(torch.ones(1))
    assert [one[:, 0, 0].tolist() for one in seen.masks] == [[1, 2, 3]]
    assert np.allclose(seen.ious[0], [0.1, 0.5, 0.2])


def test_each_mask_of_several_images_is_noted():
    model = TinyModules()
    masks = torch.arange(12.0).reshape(2, 2, 3, 1, 1)
    with Watch(model) as seen:
        seen._note_masks((masks, masks[..., 0, 0] / 12, None, None))
    assert [one[:, 0, 0].tolist() for one in seen.masks] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert np.allclose(np.array(seen.ious) * 12, np.arange(12).reshape(4, 3))


@pytest.mark.parametrize("named", [True, False])
def test_merged_tokens_of_a_tower_in_both_of_its_forms(named):
    merged, whole = torch.ones(3, 2), torch.zeros(5, 2)
    output = SimpleNamespace(last_hidden_state=whole, pooler_output=merged) if named else (merged, [whole])
    with Watch(TinyModules()) as seen:
        seen._note_tower(output)
        seen._note_tower(whole)  # a second call, of another picture: the first is kept
    assert torch.equal(seen.tower, merged)


def test_three_frames_are_drawn_where_none_are_given(tmp_path):
    model = TinyModules()
    write_receipt(model, tmp_path / "receipt.npz", call=model.call)
    receipt = read_receipt(tmp_path / "receipt.npz")
    assert receipt.drawn and [one.pixels_sha256[:16] for one in receipt.frames] == DRAWN


@pytest.mark.parametrize(("version", "word"), [("4.55.4", "torch_dtype"), ("4.56.0", "dtype"), ("5.23.0", "dtype")])
def test_the_dtype_is_asked_for_by_the_word_of_the_version(monkeypatch, tmp_path, version, word):
    asked = {}

    def load(folder, **settings):
        asked.update(settings)
        return TinyModules()

    monkeypatch.setattr(receipt_script.transformers, "__version__", version)
    monkeypatch.setattr(receipt_script.AutoModel, "from_pretrained", load)
    monkeypatch.setattr(receipt_script.AutoTokenizer, "from_pretrained", lambda folder, **settings: "words")
    model, tokenizer, processor = receipt_script.load_official(str(tmp_path), torch.float16, "cpu")
    assert not model.training and tokenizer == "words" and processor is None
    assert asked == {"trust_remote_code": True, "local_files_only": True, word: torch.float16}


def test_each_name_of_a_seam_is_found_at_the_end_of_a_modules_name():
    names = {
        "tower": ("vision_model", "model.visual", "vision_tower"),
        "words": ("language_model.model.embed_tokens", "language_model.model.tok_embeddings"),
        "projection": ("text_hidden_fcs", "seg_projection"),
        "square": ("grounding_encoder.sam2_model.image_encoder", "sam2.vision_encoder"),
        "decoder": ("grounding_encoder.sam2_model.sam_mask_decoder", "sam2.mask_decoder"),
    }
    for number in range(2):
        modules = {seam: ends[number] for seam, ends in names.items()}
        model = SimpleNamespace(
            named_modules=lambda modules=modules: iter([("other", 0), *((v, k) for k, v in modules.items())])
        )
        assert Watch(model).modules == {seam: seam for seam in names}
        others = SimpleNamespace(named_modules=lambda modules=modules: iter([("x" + v, k) for k, v in modules.items()]))
        with pytest.raises(Refused, match="expected a Sa2VA model, and found no module named"):
            Watch(others)


@pytest.mark.parametrize(
    ("prompt_ids", "generated", "answer"),
    [([1, 2], [1, 2, 5, 6], [5, 6]), ([1, 2], [5, 6], [5, 6]), ([1, 2], [1, 3, 5], [1, 3, 5])],
)
def test_an_answer_is_what_follows_the_prompt(prompt_ids, generated, answer):
    model, arrays = TinyModules(), {}

    def call(image, prompt):
        model.mlp1(model.vision_model(torch.ones(1, 1)))
        call.watch.words.append(prompt_ids)
        call.watch.sequences.append(generated)
        return {"prediction": "said", "prediction_masks": None}

    class Noted(Watch):
        def __enter__(self):
            call.watch = super().__enter__()
            return call.watch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipt_script, "Watch", Noted)
        facts = receipt_script._frame(model, Image.new("RGB", (3, 2)), "asked", call, 4, arrays)
    prints = {name: facts.pop(name)["shape"] for name in ("pixels", "tower")}
    assert facts == {"pixels_sha256": pixel_sha256(Image.new("RGB", (3, 2))), "width": 3, "height": 2, "answer": "said"}
    assert prints == {"pixels": [1, 1], "tower": [1, 1]}
    assert arrays["4.answer_ids"].tolist() == answer and arrays["4.prompt_ids"].tolist() == prompt_ids
    assert arrays["4.masks"].size == arrays["4.logits"].size == 0


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (lambda model: "No call of the model.", "nothing passed its vision_model or visual or vision_tower"),
        (lambda model: model.vision_model(torch.ones(1, 1)) and None, "passed its mlp1 or multi_modal_projector"),
        (lambda model: model.mlp1(model.vision_model(torch.ones(1, 1))) and None, "passed its embed_tokens or tok"),
        (lambda model: model.call(Image.new("RGB", (1, 1)), "") and ["Yes."], "a str or None, got list"),
        (lambda model: model.call(Image.new("RGB", (1, 1)), "") and {"prediction": 1}, "a str or None, got int"),
    ],
)
def test_the_first_call_that_cannot_be_compared_is_refused(tmp_path, lost, said):
    model, calls = TinyModules(), []
    frames = [Image.new("L", (1, 1))] * 2
    with pytest.raises(Refused, match=said):
        write_receipt(model, tmp_path / "receipt.npz", frames=frames, call=lambda *_: calls.append(1) or lost(model))
    assert calls == [1] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/receipt.npz", "folder"])
def test_a_file_that_cannot_be_written_is_refused_before_any_call(tmp_path, name):
    (tmp_path / "folder").mkdir()
    frames = [Image.new("L", (1, 1))]
    with pytest.raises(Refused, match=f"{name}: expected a file that can be written"):
        write_receipt(TinyModules(), tmp_path / name, frames=frames, call=lambda *_: pytest.fail("called"))
    with pytest.raises(SystemExit, match="expected a file that can be written"):
        receipt_script.main(["--model", str(tmp_path), "--output", str(tmp_path / name)])
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_an_earlier_receipt_stays_until_the_new_one_is_whole(tmp_path):
    model, path = TinyModules(), tmp_path / "receipt.npz"
    path.write_bytes(b"earlier")
    with pytest.raises(Refused, match="got float"):
        write_receipt(model, path, call=lambda *given: model.call(*given) and 0.5)
    assert path.read_bytes() == b"earlier"
    write_receipt(model, path, call=model.call)
    assert len(read_receipt(path).frames) == 3 and list(tmp_path.iterdir()) == [path]


class Official:
    """Takes note of what the official interface is given."""

    def __init__(self, **own):
        self.asked = []
        vars(self).update(own)

    def predict_forward(self, **given):
        self.asked.append(given)
        return "answer"


def test_the_official_call_gives_what_the_interface_takes():
    image = Image.new("RGB", (1, 1))
    model = Official(torch_dtype=None)
    assert receipt_script._official_call(model, "tokenizer", None, torch.float16)(image, "Vessels?") == "answer"
    assert model.asked == [{"image": image, "text": "<image>\nVessels?", "tokenizer": "tokenizer"}]
    assert model.torch_dtype is torch.float16
    prepared = []
    model = Official(torch_dtype=None, preparing_for_generation=lambda *given, **named: prepared.append((given, named)))
    receipt_script._official_call(model, "tokenizer", "processor", torch.float16)(image, "Vessels?")
    assert prepared == [(("tokenizer",), {"torch_dtype": torch.float16})] and model.torch_dtype is None
    assert model.asked[0]["processor"] == "processor"
    receipt_script._official_call(plain := Official(), "tokenizer", None, torch.float16)
    assert "torch_dtype" not in vars(plain)


def test_generate_is_watched_within_the_block_alone():
    class Speaker(nn.Linear):
        def generate(self, ids):
            return SimpleNamespace(sequences=ids + 1)

    model = TinyModules()
    model.speaker = Speaker(1, 1)
    with Watch(model) as seen:
        model.speaker.generate(torch.tensor([[1, 2]]))
    model.speaker.generate(torch.tensor([[9]]))
    assert seen.sequences == [[2, 3]] and "generate" not in vars(model.speaker)


KNOWN = {"prompt_ids", "answer_ids", "states", "projected", "best", "ious", "logits", "masks", "pixels.sketch",
         "square.sketch", "tower.sketch"}  # fmt: skip


def test_a_receipt_holds_no_pixels_and_no_path(tmp_path, official, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "Doe_Jane.png")
    receipt_script.main(["--model", str(official), "--output", "receipt.npz", "--frames", "Doe_Jane.png"])
    with np.load(tmp_path / "receipt.npz", allow_pickle=False) as stored:
        arrays = dict(stored)
    header = arrays.pop("header").tobytes()
    assert set(arrays) == {"tensors.sketches"} | {f"0.{name}" for name in KNOWN}
    content = header + b"".join(array.tobytes() for array in arrays.values())
    for word in (b"Doe", b"Jane", str(tmp_path).encode(), tmp_path.name.encode(), b"official/", b".png"):
        assert word not in content
    pixels = values.tobytes()
    assert not any(pixels[start : start + 4] in content for start in range(0, len(pixels), 4))
    assert set(json.loads(header)["frames"][0]) == {"pixels_sha256", "width", "height", "answer", "pixels", "square",
                                                    "tower"}  # fmt: skip
