"""A model folder is checked before its code runs."""

import hashlib
import json

import pytest
import torch

from helpers.errors import RefusedInput, UsageProblem
from helpers.inference.loading import check_folder, choose_device, choose_dtype, load_model

CODE = "raise SystemExit('the code of the folder ran')\n"


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling.Model"}}))
    (model / "modeling.py").write_text(CODE)
    digest = hashlib.sha256(CODE.encode()).hexdigest()
    record = {"tensors_sha256": "abc", "outputs": {"modeling.py": {"sha256": digest, "bytes": len(CODE)}}}
    (model / "conversion.json").write_text(json.dumps(record))
    return model


def test_an_untouched_folder_passes(folder):
    identity = check_folder(folder)
    assert identity.folder_name == "model" and identity.tensors_sha256 == "abc"


def test_changed_code_is_refused_and_does_not_run(folder):
    (folder / "modeling.py").write_text(CODE + "\n")
    with pytest.raises(RefusedInput, match=r"modeling.py: expected SHA-256 .* changed after the export"):
        load_model(folder, device="cpu")


def test_added_and_missing_code_is_refused(folder):
    (folder / "extra.py").write_text("")
    with pytest.raises(RefusedInput, match=r"extra.py: code that conversion.json does not record"):
        check_folder(folder)
    (folder / "extra.py").unlink()
    (folder / "modeling.py").unlink()
    with pytest.raises(RefusedInput, match=r"modeling.py: recorded in conversion.json, but missing"):
        check_folder(folder)


def test_code_from_elsewhere_is_refused(folder):
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "someone/else--modeling.Model"}}))
    with pytest.raises(RefusedInput, match="outside the folder"):
        check_folder(folder)


def test_a_folder_without_record_is_said_to_be_unchecked(folder, caplog):
    (folder / "conversion.json").unlink()
    assert check_folder(folder).tensors_sha256 is None
    assert "could not be checked" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_broken_json(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(RefusedInput, match=r"config.json"):
        check_folder(folder)


@pytest.mark.parametrize("record", [{}, {"outputs": []}, {"outputs": {"modeling.py": "abc"}}])
def test_a_broken_record_is_refused(folder, record):
    (folder / "conversion.json").write_text(json.dumps(record))
    with pytest.raises(RefusedInput, match=r"conversion\.json: expected 'outputs'"):
        check_folder(folder)


def test_no_model_folder(tmp_path):
    with pytest.raises(RefusedInput, match="vesselkit convert"):
        check_folder(tmp_path)


def test_a_base_is_told_from_a_model(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "internvl_chat"}))
    with pytest.raises(RefusedInput, match="a model of type 'internvl_chat'.* this folder as --base"):
        check_folder(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "sa2va"}))
    check_folder(folder)


def test_a_checkpoint_is_told_from_a_model(tmp_path):
    path = tmp_path / "iter_5.pth"
    path.write_bytes(b"weights")
    for given in (path, tmp_path):
        with pytest.raises(RefusedInput, match="looks like a checkpoint. Convert it first, or .* as --checkpoint"):
            check_folder(given)


def test_devices_and_dtypes():
    cpu = choose_device("cpu")
    assert cpu.type == "cpu" and choose_dtype("auto", cpu) is torch.float32
    assert choose_dtype("bfloat16", cpu) is torch.bfloat16
    assert choose_device("auto").type in {"cpu", "cuda"}
    for bad in ("gpu", "cuda:99", "meta"):
        with pytest.raises(UsageProblem, match="device"):
            choose_device(bad)
    with pytest.raises(UsageProblem, match="dtype"):
        choose_dtype("float", cpu)


def test_the_fingerprint_of_files_follows_code_and_config(folder):
    before = check_folder(folder)
    assert check_folder(folder) == before
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"stop_words": ["."]}))
    assert check_folder(folder).files_sha256 != before.files_sha256
