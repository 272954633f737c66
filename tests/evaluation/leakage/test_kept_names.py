"""Names kept as hashes: nothing of a name is in the file, which its owner alone may read."""

import json
import os
import stat

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.ids.id_key import create_key, fingerprint, machine_folder
from helpers.evaluation.leakage.kept_names import keep_names, kept_path, key_of, read_kept
from helpers.evaluation.leakage.name_marks import ends_of, hashed, marks_of, plain
from helpers.evaluation.leakage.training_files import read_training_text

KEY, MODEL = b"k" * 32, "a" * 64


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, images in (("train", ["DOE/P12_S1_001.png", "DOE/P12_S1_002.png"]), ("val", ["DOE/P13_S1_001.png"])):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"image": image} for image in images]))
    (tmp_path / "images/DOE").mkdir(parents=True)
    (tmp_path / "images/DOE/P12_S1_001.png").write_bytes(b"pixels")
    return read_training_text("a = ['train.json', 'val.json', 'lost.json']", tmp_path / "c.py", (tmp_path,))


def test_what_is_kept_comes_back(read):
    path = keep_names(read, MODEL, KEY)
    assert path == kept_path(MODEL) == machine_folder() / "training-names" / f"{MODEL}.json"
    found = read_kept(MODEL)
    expected = marks_of("DOE/P12_S1_001.png", hashed(KEY), read.sources[0].file("DOE/P12_S1_001.png"))
    assert len(found.names) == 2 and len(found.validation) == 1
    first = found.names[0]
    assert (first.ends, first.size, first.words, first.forms) == (
        expected.ends, expected.size, expected.words, expected.forms
    )  # fmt: skip
    assert found.names[1].size is None and expected.parts <= found.parts
    assert not marks_of("DOE/P13_S1_001.png", hashed(KEY)).parts <= found.parts  # validation data is no training data
    assert (found.absent, found.unread, found.key_fingerprint) == (1, 0, fingerprint(KEY))
    assert [one["role"] for one in found.files] == ["training", "validation"]
    assert read_kept("b" * 64) is None


def test_no_name_and_no_key_are_in_the_file(read):
    path = keep_names(read, MODEL, KEY)
    text = path.read_text()
    for word in ("DOE", "P12", "p12", "S1", "png", KEY.hex(), "train.json"):
        assert word not in text
    assert os.name != "posix" or stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_key_gives_other_hashes():
    one, other = (ends_of("P12.png", hashed(key * 32)) for key in (b"a", b"b"))
    assert one != other and ends_of("P12.png", plain) == ("end\0P12",) and len(one[0]) == 32


def test_the_key_is_looked_for(read, tmp_path):
    keep_names(read, MODEL, KEY)
    found = read_kept(MODEL)
    other, right = tmp_path / "other.key", tmp_path / "right.key"
    create_key(other)
    right.write_text(KEY.hex())
    assert key_of(found, [None, tmp_path / "none.key", other, right]) == KEY
    assert key_of(found, [other]) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "vesselkit.training-names", "schema_version": 2}'])
def test_what_is_no_such_file_is_refused(read, content):
    keep_names(read, MODEL, KEY).write_text(content)
    with pytest.raises(RefusedInput, match=r"expected vesselkit\.training-names version 1.*Convert the model again"):
        read_kept(MODEL)
