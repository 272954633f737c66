"""Verification finds what a finished export and its sources do not share."""

import json
import shutil

import pytest

from helpers.checkpoints.convert import verify


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
