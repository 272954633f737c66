"""A conversion by the words of Python is that of the command."""

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.stages.convert_stage import convert
from tests.support.public_material import link_sources

GIVEN = {"base": "internvl_base", "sam2": "sam2_base.pt", "sam2_config": "sam2_sizes.json", "dtype": "float32"}


pytestmark = pytest.mark.model


@pytest.fixture(autouse=True)
def at_sources(tmp_path, monkeypatch):
    link_sources(tmp_path)
    monkeypatch.chdir(tmp_path)


def test_the_folder_is_that_of_a_request(tmp_path, fixture_folder):
    record = convert("iter_250.pth", "my-model", **GIVEN, id_key="names.key")
    written = {path.name: path for path in (tmp_path / "my-model").iterdir()}
    assert set(written) == {path.name for path in fixture_folder.iterdir()}
    others = {"conversion.json", "README.md"}  # which name the moment and the machine's files
    for name in set(written) - others:
        assert written[name].read_bytes() == (fixture_folder / name).read_bytes(), name
    assert record.values["tensors_sha256"] and "tensors" in record.summary()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"base": "lost"}, "base lost: expected an existing file or folder"),
        ({"sam2_config": "lost.json"}, "sam2_config lost.json: expected an existing file"),
        ({"pretrained": "lost.pth"}, "pretrained lost.pth: expected an existing file"),
        ({"dtype": "int8"}, "dtype"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, changes, said):
    with pytest.raises(UsageProblem, match=said):
        convert("iter_250.pth", "my-model", **{**GIVEN, **changes})
    assert not (tmp_path / "my-model").exists()


def test_a_folder_that_is_there_stays(tmp_path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "notes.txt").write_text("mine")
    with pytest.raises((RefusedInput, UsageProblem), match="my-model"):
        convert("iter_250.pth", "my-model", **GIVEN)
    assert (tmp_path / "my-model" / "notes.txt").read_text() == "mine"
