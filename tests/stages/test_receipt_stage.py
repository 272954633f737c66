"""A model folder against receipts of a stand-in for the official code: the right model, and each way to be another."""

import errno
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from helpers.checkpoints.convert import ConversionRequest, convert, read_record
from helpers.checkpoints.convert.conversion_record import keep_check, kept_check
from helpers.checkpoints.read.weight_source import open_source
from helpers.checkpoints.receipt.receipt_file import read_receipt
from helpers.checkpoints.receipt.receipt_script import write_receipt
from helpers.checkpoints.receipt.tensor_comparison import Cause
from helpers.checkpoints.verify import verify
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.opening import Opening
from helpers.prediction.engine.model_loading import check_folder
from helpers.prediction.receipt_seams import Seam
from helpers.stages import receipt_stage
from helpers.stages.evaluate_stage import evaluate
from helpers.stages.predict_stage import predict
from helpers.stages.receipt_stage import Outcome, ReceiptVerdict, check_against_receipt
from tests.support.fixture_model import draw_angiograms
from tests.support.official_stand_in import INTERNVL, QWEN_VL, OfficialNames, official_tensors, stand_in, without_lora
from tests.support.tiny_sources import copy_sources, fixture_sources

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    return draw_angiograms(tmp_path_factory.mktemp("data") / "images", 3)


@pytest.fixture
def folder(tmp_path, fixture_folder) -> Path:
    """A copy of the fixture's model, whose record may be written."""
    return shutil.copytree(fixture_folder, tmp_path / "my-model")


@pytest.fixture
def receipt(tmp_path, frames):
    """Writes the receipt of a model, of two of the three frames."""

    def write(model, tokenizer, **others) -> Path:
        images = [Image.open(path) for path in sorted(frames.glob("*.png"))[1:]]
        write_receipt(model, tmp_path / "receipt.npz", tokenizer, **{"frames": images, **others})
        return tmp_path / "receipt.npz"

    return write


@pytest.fixture(scope="module")
def own_receipt(tmp_path_factory, fixture_folder, frames) -> Path:
    """The receipt of the fixture's model, of two of the three frames; to be read only."""
    images = [Image.open(path) for path in sorted(frames.glob("*.png"))[1:]]
    path = tmp_path_factory.mktemp("own") / "receipt.npz"
    model, tokenizer = stand_in(fixture_folder)
    write_receipt(model, path, tokenizer, frames=images)
    return path


def checked(folder: Path, receipt: Path, frames: Path) -> ReceiptVerdict:
    return check_against_receipt(folder, receipt, Opening(frames), "cpu")


def test_the_right_model(folder, own_receipt, frames):
    before = read_record(folder).values
    verdict = checked(folder, own_receipt, frames)
    assert verdict.outcome is Outcome.SAME and list(verdict.frames) == [1, 2]
    assert verdict.seg_difference == 0.0 and verdict.mask_pixels == (0, 2 * 64 * 64)
    said = verdict.to_text()
    assert said.startswith("my-model: the same model as the official code's")
    assert "ids of prompts and answers are equal" in said and "largest difference at [SEG] 0" in said
    assert f"{verdict.tensors.equal} of {verdict.tensors.equal} tensors are equal" in said
    after = dict(read_record(folder).values)
    kept = after.pop("official_check")
    assert after == dict(before)  # nothing else of the record changes
    assert kept["outcome"] == "same" and kept["frames"] == 2 and kept["segments"] == 2
    identity = check_folder(folder)
    assert kept_check(read_record(folder).values, identity.tensors_sha256, identity.files_sha256) == kept
    tiny = fixture_sources()
    assert verify(folder, tiny.checkpoint, tiny.base, tiny.sam2).ok


@pytest.mark.endurance
def test_drawn_frames_need_no_data(folder, receipt):
    verdict = check_against_receipt(folder, receipt(*stand_in(folder), frames=None), device="cpu")
    assert verdict.outcome is Outcome.SAME and len(verdict.frames) == 3


def test_a_wrong_base(tmp_path, folder, receipt, frames):
    (tmp_path / "sources").mkdir()
    tiny = copy_sources(tmp_path / "sources")
    tiny.edit_base(lambda tensors: [one.mul_(1.1) for name, one in tensors.items() if name.startswith("vision_model.")])
    convert(tiny.request(tmp_path / "other"))
    verdict = checked(folder, receipt(*stand_in(tmp_path / "other")), frames)
    assert verdict.outcome is Outcome.OTHER_TENSORS and verdict.tensors.cause is Cause.BASE
    assert verdict.first_break[1].seam is Seam.TOWER
    said = verdict.to_text()
    assert (
        "NOT the same model. another base" in said and "vision tower" in said and "frame 1 parts at the vision" in said
    )
    assert read_record(folder).values["official_check"]["outcome"] == "other_tensors"


def test_a_wrong_template(folder, receipt, frames):
    model, tokenizer = stand_in(folder)
    model.kit.config.instruction = "<|im_start|>system\nBe brief.<|im_end|>\n" + model.kit.config.instruction
    verdict = checked(folder, receipt(model, tokenizer), frames)
    assert verdict.outcome is Outcome.OTHER_CALLS and verdict.first_break[1].seam is Seam.PROMPT
    assert "NOT the same model, though its tensors are" in verdict.to_text()


def test_an_unmerged_lora(folder, receipt, frames):
    tensors = without_lora(official_tensors(folder), fixture_sources().base)
    verdict = checked(folder, receipt(*stand_in(folder, tensors)), frames)
    assert verdict.tensors.cause is Cause.UNMERGED and "an unmerged LoRA" in verdict.to_text()


def test_a_folder_in_bfloat16_against_float32(tmp_path, receipt, frames):
    tiny = fixture_sources()
    convert(tiny.request(tmp_path / "wide"))
    convert(tiny.request(tmp_path / "narrow", dtype="bfloat16"))
    verdict = checked(tmp_path / "narrow", receipt(*stand_in(tmp_path / "wide")), frames)
    assert verdict.outcome is Outcome.SAME and verdict.tensors.ok
    assert verdict.seg_difference > 0 and verdict.tolerance.states == 0.1


@pytest.mark.endurance
@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_a_receipt_in_bfloat16(tmp_path, receipt, frames, stored):
    tiny = fixture_sources()
    convert(tiny.request(tmp_path / "wide"))
    folder = tmp_path / "wide" if stored == "float32" else tmp_path / "narrow"
    if stored != "float32":
        convert(tiny.request(folder, dtype=stored))
    verdict = checked(folder, receipt(*stand_in(tmp_path / "wide", dtype="bfloat16")), frames)
    assert verdict.outcome is Outcome.SAME and verdict.tensors.ok, verdict.to_text()
    assert verdict.seg_difference > 0 and verdict.tolerance.states == 0.1
    kept = read_record(folder).values["official_check"]
    assert (kept["receipt"]["dtype"], kept["dtype"], kept["tolerance"]["states"]) == ("bfloat16", "float32", 0.1)


def test_a_frame_whose_size_is_stated_otherwise_is_refused_before_the_model_is_loaded(
    folder, own_receipt, frames, monkeypatch
):
    whole = read_receipt(own_receipt)
    other = replace(whole, frames=(whole.frames[0], replace(whole.frames[1], width=32, height=128)))
    monkeypatch.setattr(receipt_stage, "read_receipt", lambda given: other)
    monkeypatch.setattr(receipt_stage, "load_model", lambda *given: pytest.fail("a model was loaded"))
    with pytest.raises(RefusedInput, match="calls its frame 2 32 x 128 pixels, and it has 64 x 64"):
        checked(folder, own_receipt, frames)


def test_tensors_alone_are_not_enough(folder, receipt, frames):
    verdict = checked(folder, receipt(*stand_in(folder), frames=[]), frames)
    assert verdict.outcome is Outcome.INCOMPLETE and verdict.tensors.ok
    assert "no [SEG] was" in verdict.to_text()


def test_frames_are_known_by_their_pixels(tmp_path, folder, own_receipt, frames):
    path = own_receipt
    with pytest.raises(UsageProblem, match="data: expected the images that the receipt was made of, 2 frames"):
        check_against_receipt(folder, path, device="cpu")
    (tmp_path / "other").mkdir()
    kept, missing, _ = sorted(frames.glob("*.png"))
    shutil.copy(kept, tmp_path / "other" / "a.png")
    with pytest.raises(RefusedInput, match="none of the receipt's 2 frames is among these 1"):
        checked(folder, path, tmp_path / "other")
    shutil.copy(missing, tmp_path / "other" / "renamed.png")
    verdict = checked(folder, path, tmp_path / "other")
    assert list(verdict.frames) == [1] and "1 of 2 frames compared" in verdict.to_text()
    assert verdict.outcome is Outcome.INCOMPLETE and verdict.frames[1].segments == 1
    assert "compared, and frame 2 of the receipt was not: give all frames of the receipt" in verdict.to_text()
    kept = read_record(folder).values["official_check"]
    assert (kept["outcome"], kept["frames"], kept["receipt"]["frames"]) == ("incomplete", 1, 2)


def test_a_frame_that_the_receipt_has_twice_is_compared_twice(folder, receipt, frames):
    image = Image.open(sorted(frames.glob("*.png"))[0])
    verdict = checked(folder, receipt(*stand_in(folder), frames=[image, image]), frames)
    assert verdict.outcome is Outcome.SAME and list(verdict.frames) == [1, 2]


def test_answers_are_called_equal_only_where_their_ids_are_known(folder, own_receipt, frames):
    verdict = checked(folder, own_receipt, frames)
    one, other = verdict.receipt.frames
    for answers, said in (
        (([], []), "ids of prompts are equal; the receipt holds none of answers"),
        (([], other.answer_ids), "ids of prompts and answers are equal; the receipt holds those of 1 answers alone"),
    ):
        held = tuple(replace(frame, answer_ids=ids) for frame, ids in zip((one, other), answers, strict=True))
        assert said in replace(verdict, receipt=replace(verdict.receipt, frames=held)).to_text()


def test_a_verdict_that_cannot_be_kept_is_told(folder, own_receipt, frames, monkeypatch):
    def refuse(*given):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(receipt_stage, "keep_check", refuse)
    verdict = checked(folder, own_receipt, frames)
    assert verdict.outcome is Outcome.SAME and "official_check" not in read_record(folder).values
    said = "conversion.json cannot be written (Read-only file system): runs of this folder will not say so"
    assert said in verdict.to_text()


def test_memory_is_asked_for_before_images_are_read(folder, own_receipt, frames, monkeypatch):
    monkeypatch.setattr(receipt_stage, "read_frame", lambda *given: pytest.fail("an image was read"))

    def refuse(*given):
        raise UsageProblem("memory: too little")

    monkeypatch.setattr(receipt_stage, "check_memory", refuse)
    with pytest.raises(UsageProblem, match="too little"):
        checked(folder, own_receipt, frames)


def test_a_check_of_another_model_does_not_count(folder):
    keep_check(folder, {"tensors_sha256": "a", "files_sha256": "b", "outcome": "same"})
    values = read_record(folder).values
    assert kept_check(values, "a", "b")["outcome"] == "same"
    assert kept_check(values, "a", "c") is None and kept_check(values, "x", "b") is None
    text = json.dumps(values)
    assert kept_check(json.loads(text.replace('"schema_version": 1', '"schema_version": 2')), "a", "b") is None
    assert kept_check({}, "a", "b") is None


@dataclass(frozen=True)
class Recorded:
    """A family's recorded files: base folder, SAM2 file, and where its official model has its parts."""

    base: str
    sam2: str
    names: OfficialNames


RECORDED = {
    "tiny_qwen2": Recorded("internvl_base", "tiny_qwen2/base/sam2_base.pt", INTERNVL),
    "tiny_qwen3vl": Recorded("qwen3vl_base", "tiny_sam2/sam2_base.pt", QWEN_VL),
    "tiny_qwen25vl": Recorded("qwen2_5vl_base", "tiny_sam2/sam2_base.pt", QWEN_VL),
    "tiny_internlm2": Recorded(
        "internvl_base",
        "tiny_sam2/sam2_base.pt",
        replace(INTERNVL, words="language_model.model.tok_embeddings"),
    ),
}


def official_export(shared: Path, family: str, folder: Path, dtype: str = "float32"):
    """The family's checkpoint converted to a folder; a stand-in with the tensors of its official export; tokenizer."""
    golden, recorded = shared / "golden", RECORDED[family]
    root = golden / family
    (checkpoint,) = (root / "ckpt_lora").glob("*.pth")
    sources = {"base": root / "base" / recorded.base, "sam2": golden / recorded.sam2}
    convert(ConversionRequest(checkpoint, folder, sam2_config=str(root / "sam2_dims.json"), dtype="float32", **sources))
    with open_source(root / "hf_export") as source:
        tensors = {name: source.read(name).clone() for name in source.tensors}
    return stand_in(folder, tensors, recorded.names, dtype)


def golden_receipt(model, tokenizer, family: str, path: Path, image: Path) -> Path:
    processor = object() if RECORDED[family].names.gives_prompt else None  # which the Qwen families require
    prompt = "Please segment the vessels in this image."
    write_receipt(model, path, tokenizer, [Image.open(image).convert("RGB")], prompt, processor)
    return path


@pytest.mark.golden
@pytest.mark.parametrize("family", RECORDED)
def test_a_converted_checkpoint_is_the_official_export(shared, tmp_path, family):
    image = shared / "golden/tiny_qwen2/inputs/img_c_300x420.png"
    model, tokenizer = official_export(shared, family, tmp_path / "model")
    path = golden_receipt(model, tokenizer, family, tmp_path / "receipt.npz", image)
    verdict = checked(tmp_path / "model", path, image)
    assert verdict.outcome is Outcome.SAME, verdict.to_text()
    assert verdict.tensors.close <= 2 and verdict.mask_pixels == (0, 420 * 300)


@pytest.mark.golden
@pytest.mark.endurance
@pytest.mark.parametrize("family", ["tiny_qwen3vl", "tiny_qwen25vl"])
def test_a_qwen_model_in_bfloat16_is_the_official_export(shared, tmp_path, family):
    image = shared / "golden/tiny_qwen2/inputs/img_c_300x420.png"
    model, tokenizer = official_export(shared, family, tmp_path / "model", "bfloat16")
    path = golden_receipt(model, tokenizer, family, tmp_path / "receipt.npz", image)
    verdict = checked(tmp_path / "model", path, image)
    assert verdict.receipt.dtype == "bfloat16" and verdict.tolerance.states == 0.1
    assert verdict.outcome is Outcome.SAME and verdict.seg_difference > 0, verdict.to_text()


@pytest.mark.golden
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.endurance)])
def test_the_normalised_state_of_qwen3vl_breaks_at_seg(shared, tmp_path, dtype):
    image = shared / "golden/tiny_qwen2/inputs/img_c_300x420.png"
    model, tokenizer = official_export(shared, "tiny_qwen3vl", tmp_path / "model", dtype)
    state = model.kit.bridge.seg_state
    model.kit.bridge.seg_state = type(state).AFTER_NORM
    path = golden_receipt(model, tokenizer, "tiny_qwen3vl", tmp_path / "receipt.npz", image)
    verdict = checked(tmp_path / "model", path, image)
    assert verdict.outcome is Outcome.OTHER_CALLS
    number, found = verdict.first_break
    assert found.seam is Seam.SEG and "frame 1 parts at the language model, its state at [SEG]" in verdict.to_text()


def test_runs_and_evaluations_say_what_was_found(tmp_path, folder, own_receipt, frames, material):
    def text():
        run = predict(folder, material / "demo-data", tmp_path / "run", device="cpu", limit=2)
        scores = evaluate(run, material / "demo-data", tmp_path / "scores", processes=1, draws=10)
        return run.manifest["data_sha256"], scores.text.split("\n\n")[2]

    before, said = text()
    assert said == "* run: checked against official code: not checked."
    checked(folder, own_receipt, frames)
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/parts").iterdir()}
    after, said = text()
    assert said.startswith("* run: checked against official code: yes (receipt of 20") and "2 frames" in said
    # The finished run took it up, and nothing was computed anew.
    assert after == before and parts == {path: path.stat().st_mtime_ns for path in parts}
