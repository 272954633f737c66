"""Reading a receipt: what is in it, and what is refused."""

import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.receipt import receipt_file
from helpers.checkpoints.receipt.receipt_file import Fingerprint, read_receipt
from helpers.checkpoints.receipt.receipt_script import fingerprint, write_receipt
from helpers.core.errors import RefusedInput
from tests.support.tiny_official import TinyModules


@pytest.fixture
def written(tmp_path):
    """A receipt of one call, with its arrays."""
    path = tmp_path / "receipt.npz"
    model = TinyModules()
    write_receipt(model, path, frames=[Image.new("L", (3, 2), 9)], call=model.call)
    with np.load(path) as stored:
        return path, dict(stored)


def rewritten(path, arrays, **header):
    values = json.loads(arrays["header"].tobytes()) | header
    content = np.frombuffer(json.dumps(values).encode(), np.uint8)
    np.savez(path, **{**arrays, "header": content})
    return path


def test_a_receipt_is_read(written):
    path, arrays = written
    found = read_receipt(path)
    assert (found.prompt, found.drawn, found.dtype, found.device) == (
        "Please segment the blood vessels.",
        False,
        "float32",
        "cpu",
    )
    assert found.sha256 and found.versions["torch"] == torch.__version__
    assert len(found.tensors) == len(arrays["tensors.sketches"])
    (frame,) = found.frames
    assert (frame.width, frame.height, frame.answer) == (3, 2, "Yes.")
    assert frame.masks is None and frame.answer_ids == []
    name, one = next(iter(found.tensors.items()))
    assert one.equals(Fingerprint.of(*fingerprint(TinyModules().get_parameter(name))))


def test_tensors_of_a_model_within_wrappers_have_the_models_own_names(written):
    path, arrays = written
    tensors = json.loads(arrays["header"].tobytes())["tensors"]
    wrapped = [{**facts, "name": f"module._orig_mod.{facts['name']}"} for facts in tensors]
    found = read_receipt(rewritten(path, arrays, tensors=wrapped)).tensors
    assert list(found) == [facts["name"] for facts in tensors]


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({"a": 1})])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "receipt.npz"
    path.write_bytes(content)
    with pytest.raises(RefusedInput, match="receipt.npz: expected vesselkit.receipt version 1, it cannot be read"):
        read_receipt(path)


def test_nothing_is_unpickled(written):
    path, arrays = written
    np.savez(path, **{**arrays, "0.best": np.array([print], dtype=object)})
    with pytest.raises(RefusedInput, match="it cannot be read"):
        read_receipt(path)


def test_arrays_of_others_are_refused(tmp_path):
    np.savez(tmp_path / "masks.npz", masks=np.zeros(3))
    with pytest.raises(RefusedInput, match="found another file. Write it again with the script"):
        read_receipt(tmp_path / "masks.npz")


def test_another_version_is_refused(written):
    with pytest.raises(RefusedInput, match="found vesselkit.receipt version 2"):
        read_receipt(rewritten(*written, schema_version=2))


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("0.states"),
        lambda arrays: arrays.update({"0.logits": np.ones((2, 2))}),
        lambda arrays: arrays.update({"tensors.sketches": arrays["tensors.sketches"][1:]}),
        lambda arrays: arrays.update({"0.tower.sketch": np.ones(3)}),
        lambda arrays: arrays.update({"0.best": np.array([3])}),
        lambda arrays: arrays.update({"0.best": np.array([-1])}),
        lambda arrays: arrays.update({"0.best": np.array([0, 1])}),
        lambda arrays: arrays.update({"0.masks": np.ones((1, 2), np.uint8)}),  # of 3 x 2 pixels one byte is enough
        lambda arrays: arrays.update({"0.masks": np.ones((1, 1))}),
    ],
)
def test_damage_is_refused(written, change):
    path, arrays = written
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(RefusedInput, match="the file is damaged"):
        read_receipt(path)


def test_an_answer_that_is_no_text_is_refused(written):
    path, arrays = written
    (frame,) = json.loads(arrays["header"].tobytes())["frames"]
    with pytest.raises(RefusedInput, match="the file is damaged"):
        read_receipt(rewritten(path, arrays, frames=[{**frame, "answer": ["Yes."]}]))


def test_what_would_fill_the_memory_is_refused(written, monkeypatch):
    monkeypatch.setattr(receipt_file, "_MOST_BYTES", 100)
    with pytest.raises(RefusedInput, match="more than any receipt"):
        read_receipt(written[0])


def test_a_cut_file_is_refused(written):
    path, _ = written
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RefusedInput, match="it cannot be read"):
        read_receipt(path)


def test_a_changed_byte_is_refused(written):
    path, _ = written
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("header.npy").header_offset + 300
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RefusedInput):
        read_receipt(path)
