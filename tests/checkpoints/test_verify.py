"""Verification finds what a finished export and its sources do not share."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from helpers.checkpoints import verify as verify_module
from helpers.checkpoints.convert.plan import Lora, Rows, SourceRole, Target, TensorOrigin
from helpers.checkpoints.convert.weights import Weights, raw_bytes
from helpers.checkpoints.verify import VerificationReport, verify
from helpers.core.shown_text import counted


def test_verify_accepts_a_finished_folder(finished):
    tiny, folder, record = finished
    report = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    assert f"{len(record.values['targets'])} tensors, value by value" in report.to_text()


def test_verify_finds_one_changed_value(tmp_path, finished):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 0x40
    (copy / "model.safetensors").write_bytes(data)
    text = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2).to_text()
    assert "file changed since the conversion: model.safetensors" in text
    assert "tensor differs from its sources: " in text


def test_verify_finds_another_checkpoint(finished, tiny):
    _, folder, _ = finished
    tiny.edit_checkpoint(lambda content: content["state_dict"]["text_hidden_fcs.0.bias"].add_(1))
    report = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2)
    assert "the checkpoint given" in report.to_text()
    assert "tensor differs from its sources: seg_projection.linear_1.bias" in report.to_text()


def test_verify_finds_a_changed_code_file(tmp_path, finished):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with (copy / "modeling_sa2va.py").open("a") as file:
        file.write("# changed\n")
    report = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2)
    assert all(finding.endswith("modeling_sa2va.py") for finding in report.findings)
    assert len(report.findings) == 2


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        (lambda values: values["targets"][0].update(origin="base", sha256="0"), "1 targets differ"),
        (lambda values: values.update(tensors_sha256="0"), "tensors_sha256 is not that of the tensors"),
        (lambda values: values["sources"]["sam2"].update(invented={"fate": "used", "targets": []}), "invented"),
    ],
)
def test_verify_finds_a_false_record(tmp_path, finished, edit, finding):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    values = json.loads((copy / "conversion.json").read_text())
    edit(values)
    (copy / "conversion.json").write_text(json.dumps(values))
    assert finding in verify(copy, tiny.checkpoint, tiny.base, tiny.sam2).to_text()


def test_verify_finds_another_config_of_the_base(finished, tiny):
    _, folder, _ = finished
    tiny.edit_base_config(lambda config: config["llm_config"].update(rope_theta=500.0))
    text = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2).to_text()
    assert "the config given" in text
    assert "file differs from what the sources and this version give: config.json" in text


def edited(tmp_path, folder, change):
    """A copy of an export whose record was changed."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    values = json.loads((copy / "conversion.json").read_text())
    change(values)
    (copy / "conversion.json").write_text(json.dumps(values))
    return copy


def test_a_role_that_only_one_side_has_is_found(tmp_path, finished):
    tiny, folder, _ = finished
    more = {"a": {"fate": "used", "targets": []}}
    copy = edited(tmp_path, folder, lambda values: values["sources"].update(pretrained=more))
    report = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.findings == ["fates of 1 pretrained tensor that differ from the record, the first: a"]


def test_files_that_are_missing_and_files_that_are_more_are_found(tmp_path, finished):
    tiny, folder, _ = finished
    copy = edited(tmp_path, folder, lambda values: values["outputs"].update({"gone.json": {"sha256": "0", "bytes": 1}}))
    (copy / "more.txt").touch()
    (copy / "folder").mkdir()
    report = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.findings == ["file missing: gone.json", "file not in the record: more.txt"]


def test_another_release_of_transformers_in_the_config_is_no_finding(tmp_path, finished):
    tiny, folder, _ = finished

    def release(values):
        config = json.loads((tmp_path / "copy/config.json").read_text())
        text = json.dumps(config | {"transformers_version": "0.0"})
        (tmp_path / "copy/config.json").write_text(text)
        values["outputs"]["config.json"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()

    report = verify(edited(tmp_path, folder, release), tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()


def test_what_was_checked_is_said(finished):
    tiny, folder, record = finished
    values = record.values
    sources = sum(len(fates) for fates in values["sources"].values())
    inputs = len([found for found in values["inputs"] if found["role"] != "sam2_config"])
    written = len([name for name in values["outputs"] if not name.endswith(".safetensors")])
    assert verify(folder, tiny.checkpoint, tiny.base, tiny.sam2).to_text().splitlines() == [
        "model: verified",
        f"  checked: {len(values['outputs'])} files by sha256",
        f"  checked: {inputs} source files by sha256",
        f"  checked: {written} config, tokenizer and code files against the sources",
        f"  checked: {len(values['targets'])} tensors, value by value",
        f"  checked: fates of {sources} source tensors (base, checkpoint, sam2)",
    ]


@pytest.mark.parametrize(
    ("count", "last"), [(1, "  FINDING: 0"), (3, "  FINDING: 2"), (5, "  ... and 2 more findings")]
)
def test_the_first_findings_are_shown_and_the_others_counted(count, last):
    report = VerificationReport("model", ["files"], [str(number) for number in range(count)])
    lines = report.to_text(most=3).splitlines()
    assert lines[:3] == [f"model: {counted(count, 'finding')}", "  checked: files", "  FINDING: 0"]
    assert lines[-1] == last and len(lines) == 2 + min(count, 3) + (count > 3)
    assert not report.ok and len(report.to_text().splitlines()) == 2 + count
    many = VerificationReport("model", [], [str(number) for number in range(22)])
    assert many.to_text().endswith("FINDING: 19\n  ... and 2 more findings")


VALUES = torch.arange(10.0).reshape(5, 2)


@pytest.mark.parametrize(
    ("stored", "same"),
    [
        (VALUES, True),
        (VALUES.bfloat16(), False),
        (VALUES[:4], False),
        (VALUES.flatten(), False),
        *((VALUES.masked_fill(VALUES.eq(value), -1.0), False) for value in (1.0, 4.0, 9.0)),
        (None, False),
    ],
)
def test_a_stored_tensor_is_compared_block_by_block(stored, same):
    exported = SimpleNamespace(tensors=() if stored is None else ("t",), read=lambda name: stored)
    weights = SimpleNamespace(blocks=lambda target: iter(VALUES.split(2)))
    found = verify_module._compare(exported, Target("t", (5, 2), TensorOrigin.BASE, ()), weights)
    assert (found.same, found.rounded) == (same, 0)
    assert found.sha256 == hashlib.sha256(VALUES.numpy().tobytes()).hexdigest()


RANK, SCALE = 64, 0.5


@pytest.fixture(scope="module")
def merged():
    """A merged target, its sources, and what a processor gives that sums without rounding, float64."""
    random = torch.Generator().manual_seed(0)
    sources = {
        "w": torch.randn(40, 50, generator=random),
        "a": torch.randn(RANK, 50, generator=random) / 8,
        "b": torch.randn(40, RANK, generator=random) / 8,
    }
    target = Target(
        "t", (40, 50), TensorOrigin.MERGED, (Rows(SourceRole.BASE, "w", 0, 40),), Lora("a", "b", ((0, 40),), SCALE)
    )
    exact = sources["w"].double() + SCALE * (sources["b"].double() @ sources["a"].double())
    return target, SimpleNamespace(read=sources.__getitem__), exact


def compared(merged, stored):
    target, reader, _ = merged
    weights = Weights({SourceRole.BASE: reader, SourceRole.CHECKPOINT: reader}, stored.dtype)
    return verify_module._compare(SimpleNamespace(tensors=("t",), read=lambda name: stored), target, weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_another_order_of_a_merges_sums_is_the_same_tensor(merged, dtype):
    stored = merged[2].to(dtype)
    found = compared(merged, stored)
    assert found.same and found.sha256 == hashlib.sha256(raw_bytes(stored)).hexdigest()
    if dtype is torch.float32:
        assert 0 < found.rounded < stored.numel()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("place", [(0, 0), (39, 49)])
def test_a_value_that_no_order_gives_is_found(merged, dtype, place):
    stored = merged[2].to(dtype)
    exact = merged[2][place].item()
    # A step of a narrow dtype is far beyond float32's rounding; in float32 it takes more steps than terms.
    steps = 1 if dtype is not torch.float32 else 1000
    moved = stored[place].clone()
    for _ in range(steps):
        moved = torch.nextafter(moved, torch.tensor(float("inf"), dtype=dtype))
    changed = stored.index_put(tuple(torch.tensor(index) for index in place), moved)
    assert changed[place].item() > exact and not compared(merged, changed).same


def test_a_merge_with_another_scale_is_found_in_any_dtype(merged):
    target, reader, _ = merged
    other = reader.read("w").double() + 1.01 * SCALE * (reader.read("b").double() @ reader.read("a").double())
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert not compared(merged, other.to(dtype)).same


def test_what_another_processor_merged_is_verified_and_said(finished, monkeypatch):
    tiny, folder, _ = finished
    blocks = Weights.blocks

    def elsewhere(self, target, change=None):
        """The upper ends of what rounding leaves open."""
        if target.lora is None:
            return blocks(self, target, change)
        return iter([self.rounding_range(target, 0, target.shape[0])[1]])

    monkeypatch.setattr(Weights, "blocks", elsewhere)
    report = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    assert "merged tensors among them, up to the rounding of float32 sums" in report.to_text()
