"""Which folder is the base, what the record calls it, and where config and tokenizer are read."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.checkpoints.convert import base_folder
from helpers.checkpoints.convert.base_folder import base_setting, config_folder, settle_base
from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.listed_sources import listed, run_config

NAMED = run_config(base_path="pretrained/InternVL")


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A checkpoint in a work folder, and no project beside it."""
    monkeypatch.setattr(base_folder, "project_root", lambda: tmp_path / "project")
    path = tmp_path / "study/work_dirs/run/iter_9.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    return listed(CheckpointKind.MMENGINE, [], path)


def put_base(folder: Path) -> Path:
    (folder / "pretrained/InternVL").mkdir(parents=True)
    (folder / "pretrained/InternVL/config.json").touch()
    return folder / "pretrained/InternVL"


@pytest.mark.parametrize("place", ["project", "study/work_dirs/run", "study/work_dirs", "study"])
def test_the_configs_base_is_looked_for_in_the_project_and_above_the_checkpoint(tmp_path, checkpoint, place):
    base = put_base(tmp_path / place)
    assert settle_base(None, checkpoint, NAMED) == Setting("base", str(base), "the config")


def test_no_further_up_and_not_without_a_config(tmp_path, checkpoint):
    (tmp_path / "study/pretrained/InternVL").mkdir(parents=True)
    put_base(tmp_path)
    with pytest.raises(
        UsageProblem, match="iter_9.pth needs its base .* names 'pretrained/InternVL', which is not her"
    ):
        settle_base(None, checkpoint, NAMED)
    with pytest.raises(RefusedInput, match="all of it"):
        settle_base(None, checkpoint, NAMED, RefusedInput("all of it"))


def test_the_option_wins_and_a_folder_needs_no_base(tmp_path, checkpoint):
    assert settle_base(Path("other"), checkpoint, NAMED) == Setting("base", "other", "--base")
    assert settle_base(None, checkpoint, TrainingRunConfig()) == Setting("base", None, None)
    assert settle_base(None, listed(CheckpointKind.NATIVE, [], tmp_path), NAMED) == Setting("base", None, None)


@pytest.mark.parametrize(
    ("named", "same"),
    [
        ("elsewhere/InternVL", True),
        ("elsewhere/InternVL/", True),
        (r"D:\models\InternVL", True),
        ("InternVL-8B", False),
        ("", True),
        (None, True),
    ],
)
def test_another_name_is_recorded_and_another_place_is_not(named, same, caplog):
    found = base_setting(Setting("base", "models/InternVL", "--base"), run_config(base_path=named), False)
    others = () if same else (Candidate(named, "the config"),)
    assert found == Setting("base", "InternVL", "--base", others)
    assert caplog.messages == ([] if same else [f"base: InternVL from --base, but the config names {named}"])


def test_the_superseded_config_has_its_say_too():
    run = replace(run_config(base_path="a/InternVL"), superseded=run_config(base_path="b/Other").governing)
    found = base_setting(Setting("base", "models/InternVL", "--base"), run, False)
    assert found.overrides == (Candidate("b/Other", "the config"),)


def test_a_sa2va_that_was_loaded_has_another_name_by_right():
    base = Setting("base", "models/Sa2VA", "--base")
    assert base_setting(base, NAMED, True) == Setting("base", "Sa2VA", "--base")
    assert base_setting(Setting("base", None, None), NAMED, False) == Setting("base", None, None)


def test_config_and_tokenizer_are_the_checkpoints_own_or_the_bases(tmp_path, checkpoint):
    own, base = tmp_path / "own", tmp_path / "base"
    own.mkdir()
    base.mkdir()
    with_config = listed(CheckpointKind.NATIVE, [], own, config={})
    bare = listed(CheckpointKind.OTHER, [], own)
    beneath = listed(CheckpointKind.INTERNVL_BASE, [], base, config={})
    assert config_folder(with_config, beneath) == own
    assert config_folder(bare, beneath) == config_folder(checkpoint, beneath) == base
    with pytest.raises(UsageProblem, match="iter_9.pth holds no config.json and no tokenizer; pass --base"):
        config_folder(checkpoint, None)
    with pytest.raises(UsageProblem):
        config_folder(checkpoint, listed(CheckpointKind.SAM2, [], tmp_path / "file", config={}))
