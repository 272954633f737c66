"""Names of training images are kept where the config's annotations are here, and never in the export."""

import json
import os
import stat

import numpy as np
import pytest

from helpers.checkpoints.convert import convert
from helpers.data.ids.id_key import create_key, fingerprint, machine_key_path, read_key
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.leakage.conversion_names import keep_training_names
from helpers.evaluation.leakage.kept_names import kept_path, read_kept
from tests.support.tiny_sources import copy_sources
from tests.support.vessel_runs import write_data, write_run

MODEL = "a" * 64


@pytest.fixture(autouse=True)
def config_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config/vesselkit"


def trained_on(folder, *patients, name="train.json"):
    """A config whose annotation file names frames of these patients; frames 20 and 21, which no data set here has."""
    folder.mkdir(exist_ok=True, parents=True)
    images = [{"image": f"P{patient:02d}_S01_{frame:03d}.png"} for patient in patients for frame in (20, 21)]
    (folder / name).write_text(json.dumps(images))
    (folder / "config.py").write_text(
        f"data_path = './{folder.name}/{name}'\nimage_folder = './{folder.name}/images/'\n"
    )
    return folder / "config.py"


@pytest.mark.slow
def test_a_conversion_keeps_names_and_an_evaluation_uses_them_unasked(tmp_path, config_folder):
    (tmp_path / "sources").mkdir()
    tiny = copy_sources(tmp_path / "sources")
    text = trained_on(tmp_path / "data_of_training", 2, 3).read_text()
    tiny.edit_checkpoint(lambda content: content["meta"].update(cfg=content["meta"]["cfg"] + "\n" + text))
    record = convert(tiny.request(tmp_path / "model"))
    kept = keep_training_names(tiny.checkpoint, None, record.values["tensors_sha256"])
    assert kept.names == 4 and "names of 4 training images were kept on this machine as hashes" in kept.text
    key = read_key(config_folder / "machine.key")
    hashes = kept_path(record.values["tensors_sha256"]).read_text()
    assert fingerprint(key) in hashes and os.name != "posix" or stat.S_IMODE(machine_key_path().stat().st_mode) == 0o600
    found = json.loads(hashes)
    secrets = {key.hex(), *found["parts"], *(one for name in found["names"] for one in name["ends"])}
    for file in (tmp_path / "model").iterdir():
        content = file.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), file.name

    data = write_data(tmp_path / "data")
    truths = {case.case_id: case.truth.mask(64, 64) for case in data.cases}
    run = write_run(tmp_path / "run", truths, model={"tensors_sha256": record.values["tensors_sha256"]})
    scored = evaluate([run], data, tmp_path / "scores", processes=1, draws=50)
    assert scored.summary["standing"]["title"] == "6 patients, 2 of them TRAINING patients"
    assert scored.summary["standing"]["runs"][0]["sources"] == ["kept"]
    assert scored.summary["training"]["leaked"] == [f"P{p:02d}_S01_{f:03d}" for p in (2, 3) for f in (1, 2)]
    without = evaluate([run], data, tmp_path / "scores", processes=1, draws=50, exclude_training=True)
    assert without.summary["standing"]["title"] == "patients that training never saw (4), 2 TRAINING patients left out"
    machine_key_path().unlink()
    blind = evaluate([run], data, tmp_path / "scores", processes=1, draws=50)
    assert blind.summary["standing"]["title"] == "training list unknown"
    assert any(f"kept under key {fingerprint(key)}, which is not here" in text for text in blind.summary["warnings"])


def test_the_given_config_takes_the_place_of_the_stored_one_and_the_given_key_that_of_the_machine(tmp_path):
    (tmp_path / "sources").mkdir()
    tiny = copy_sources(tmp_path / "sources")
    tiny.edit_checkpoint(lambda content: content["meta"].update(cfg=trained_on(tmp_path / "old", 1).read_text()))
    given = trained_on(tmp_path / "new", 2, 3, 4)
    kept = keep_training_names(tiny.checkpoint, given, MODEL, tmp_path / "keys/study.key")
    assert kept.names == 6 and not machine_key_path().exists()
    assert read_kept(MODEL).key_fingerprint == fingerprint(read_key(tmp_path / "keys/study.key"))
    assert keep_training_names(tiny.checkpoint, None, MODEL).names == 2


def test_paths_of_a_config_are_looked_for_around_the_checkpoint(tmp_path, monkeypatch):
    (tmp_path / "project/work_dirs/run").mkdir(parents=True)
    tiny = copy_sources(tmp_path / "project/work_dirs/run")
    text = trained_on(tmp_path / "project/data", 2).read_text()
    tiny.edit_checkpoint(lambda content: content["meta"].update(cfg=text))
    monkeypatch.chdir("/")
    assert keep_training_names(tiny.checkpoint, None, MODEL).names == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "data = ['lost.json']\n",
            "no annotation file that the training config names (1) is here and names training images",
        ),
        ("data = 1\n", "no annotation file that the training config names (0)"),
        ("data = (\n", "the training config cannot be read"),
        ("val = './data/pictures.json'\n", "no annotation file that the training config names (1)"),
    ],
)
def test_what_cannot_be_read_is_a_note(tmp_path, text, said):
    trained_on(tmp_path / "data", 1, name="pictures.json").write_text(text)
    kept = keep_training_names(tmp_path / "iter_1.pth", tmp_path / "data/config.py", MODEL)
    assert kept.names == 0 and kept.text.startswith(f"names of training images were not kept, {said}")
    assert not kept_path(MODEL).exists() and not machine_key_path().exists()


def test_a_checkpoint_without_a_config_is_a_note(tmp_path):
    (tmp_path / "sources").mkdir()
    tiny = copy_sources(tmp_path / "sources")
    tiny.edit_checkpoint(lambda content: content["meta"].pop("cfg"))
    assert (
        "holds no training config: give it (--train-config)" in keep_training_names(tiny.checkpoint, None, MODEL).text
    )
    assert keep_training_names(tmp_path / "gone.pth", None, MODEL).names == 0


def test_files_that_are_not_here_are_counted(tmp_path):
    config = trained_on(tmp_path / "data", 1)
    config.write_text(config.read_text() + "more = ['lost.json', 'empty.json']\n")
    (tmp_path / "empty.json").write_text("[]")
    kept = keep_training_names(tmp_path / "iter_1.pth", config, MODEL)
    assert kept.names == 2 and "1 annotation file of the training config not here and 1 without a name" in kept.text
    assert (read_kept(MODEL).absent, read_kept(MODEL).unread) == (1, 1)


def test_a_place_that_cannot_be_written_is_a_note(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    kept = keep_training_names(tmp_path / "iter_1.pth", trained_on(tmp_path / "data", 1), MODEL)
    assert kept.names == 0 and "names of training images were not kept" in kept.text


def test_a_key_that_is_none_is_a_note(tmp_path):
    (tmp_path / "bad.key").write_text("no key")
    kept = keep_training_names(tmp_path / "iter_1.pth", trained_on(tmp_path / "data", 1), MODEL, tmp_path / "bad.key")
    assert kept.names == 0 and "RefusedInput" in kept.text


def test_a_random_split_by_frames_is_seen_through_hashes_alone(tmp_path):
    config = trained_on(tmp_path / "data_of_training", *range(1, 7))
    assert keep_training_names(tmp_path / "iter_1.pth", config, MODEL).names == 12
    data = write_data(tmp_path / "data")
    truths = {case.case_id: np.zeros((64, 64), bool) for case in data.cases}
    run = write_run(tmp_path / "run", truths, model={"tensors_sha256": MODEL})
    scored = evaluate([run], data, tmp_path / "scores", processes=1, draws=50)
    assert scored.summary["standing"]["title"] == "TRAINING patients (6)"


def test_a_key_is_made_once(tmp_path):
    config = trained_on(tmp_path / "data", 1)
    keep_training_names(tmp_path / "iter_1.pth", config, MODEL)
    key = machine_key_path().read_text()
    keep_training_names(tmp_path / "iter_1.pth", config, "b" * 64)
    assert machine_key_path().read_text() == key
    with pytest.raises(FileExistsError):
        create_key(machine_key_path())


def test_what_was_kept_is_said_and_what_is_missing(tmp_path):
    config = trained_on(tmp_path / "study", 1)
    whole = keep_training_names(tmp_path / "iter_1.pth", config, MODEL)
    assert whole.names == 2 and whole.text.endswith("evaluate says which patients are TRAINING patients")
    config.write_text(config.read_text() + "more = 'lost.json'\nother = 'b.csv'\n")
    part = keep_training_names(tmp_path / "iter_1.pth", config, MODEL)
    assert part.text.endswith(
        "are TRAINING patients. 1 annotation file of the training config not here and 1 without a name of an image "
        "that is understood, or unreadable: other patients stay unknown, not unseen"
    )
