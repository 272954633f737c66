"""A data set split by patient: what is kept, what is refused, and whom training knows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.cli.arguments import option_name
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.opening import Opening
from helpers.evaluation.frangi_tuning import tune
from helpers.evaluation.leakage.training_files import read_training_files
from helpers.stages.split_stage import SplitRequest


@pytest.fixture
def folder(tmp_path):
    """Twelve patients of two frames with masks; patient 3 fills half of them with vessel."""
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for number in range(24):
        name = f"P{number // 2}_{number % 2}.png"
        Image.new("L", (8, 8), number).save(tmp_path / "set" / "images" / name)
        mask = np.zeros((8, 8), np.uint8)
        mask[: 1 + number // 6] = 255
        Image.fromarray(mask).save(tmp_path / "set" / "masks" / name)
    return tmp_path / "set"


def shares(folder, **others):
    return SplitRequest(Opening(folder), train=70, dev=10, test=20, **others)


def test_whole_patients_are_kept_in_parts_and_chosen_by_them(folder):
    kept = shares(folder).run()
    assert kept.frames == {"train": 16, "dev": 2, "test": 6} and kept.path == folder / "dataset.json"
    opened = {part: Opening(folder, split=part).open() for part in kept.split.parts}
    assert {part: len(found.cases) for part, found in opened.items()} == kept.frames
    assert {frame.patient for frame in opened["test"].frames} == set(kept.split.parts["test"])
    assert len(opened["test"].sealed) == 6 and not opened["dev"].sealed
    assert "dev: 1 patient (8 %, asked for 10 %), 2 frames\n" in kept.to_text()
    assert "test: 3 patients (25 %, asked for 20 %), 6 frames, sealed" in kept.to_text()
    assert "warning: test has 3 patients" in kept.to_text()
    assert json.loads(kept.path.read_text())["split"]["sealed"] == ["test"]
    assert "P1_0" not in kept.path.read_text()


def test_the_same_again_is_kept_and_another_is_refused(folder):
    first = shares(folder).run()
    assert shares(folder).run() == first
    refusal = r"set/dataset\.json: another split is kept with the data \(by patients: train 8, dev 1, test 3\)"
    for image in (folder / "images").iterdir():  # others are refused before a frame is read
        image.write_bytes(image.read_bytes()[:60])
    for asked in (shares(folder, seed=1), replace(shares(folder), train=60, dev=20), SplitRequest(Opening(folder), 3)):
        with pytest.raises(RefusedInput, match=refusal):
            asked.run()
    listed = folder.parent / "trained.txt"
    listed.write_text("".join(f"P{number}_0.png\n" for number in range(9)))
    with pytest.raises(RefusedInput, match=refusal):
        shares(folder, already_trained=listed).run()


def test_the_key_of_the_ids_plays_no_part(folder, tmp_path):
    def names(opening):
        opened = opening.open()
        return {opened.people.by_case[case.case_id].name for case in opened.cases}

    kept = shares(folder).run()
    own = names(Opening(folder, split="test"))
    kept.path.unlink()
    other = Opening(folder, id_key=tmp_path / "other.key")
    replace(shares(folder), opening=other).run()
    assert names(replace(other, split="test")) == own
    with pytest.raises(RefusedInput, match="Give the --ids and --id-key that the split was made with"):
        Opening(folder).open()


def test_strata_are_said(folder):
    kept = SplitRequest(Opening(folder), folds=3).run()
    assert kept.split.strata == "thirds of the frames by share of vessel in the ground truth, and number of frames"
    assert kept.frames == {"fold1": 8, "fold2": 8, "fold3": 8} and kept.split.sealed == ()
    assert len(Opening(folder, split="fold1,fold3").open().cases) == 16
    (folder / "masks" / "P1_0.png").unlink()
    with pytest.raises(RefusedInput, match="another split is kept"):  # told by other strata
        SplitRequest(Opening(folder), folds=3).run()


def test_patients_that_training_saw_train_only(folder, tmp_path):
    listed = tmp_path / "trained.txt"
    listed.write_text("".join(f"P{number}_0.png\n" for number in range(9)))
    kept = shares(folder, already_trained=listed).run()
    tested = {frame.path.stem for frame in Opening(folder, split="test,dev").open().frames}
    assert tested == {f"P{number}_{frame}" for number in (9, 10, 11) for frame in (0, 1)} and kept.trained == 9
    assert "9 TRAINING patients in train alone" in kept.to_text()
    kept.path.unlink()
    listed.write_text("".join(f"P{number}_1.png\n" for number in range(12)))
    with pytest.raises(RefusedInput, match="no patient is left that training never saw beside 12 TRAINING patients"):
        shares(folder, already_trained=listed).run()
    listed.write_text("P1_0.png\nwhoever\n")
    with pytest.raises(RefusedInput, match=r"of 11 of this data set it cannot be told: .*not understood"):
        shares(folder, already_trained=listed).run()
    assert not kept.path.exists()


def test_a_config_that_trained_on_a_part_names_the_patients_of_that_part(folder, tmp_path):
    shares(folder).run()
    config = tmp_path / "config.py"
    config.write_text(f'd = dict(type="vesselkit.SegmentationSamples", data="{folder}", split="train,dev")\n')
    names = {name for one in read_training_files(config).sources for name in one.names}
    opened = Opening(folder, split="train,dev").open()
    assert names == {f"images/{frame.path.name}" for frame in opened.frames}
    (folder / ".vesselkit" / "id.key").unlink()
    found = read_training_files(config)
    assert (found.sources, found.unread, found.keyless) == ((), 0, 1)


def test_nothing_is_tuned_on_sealed_patients(folder):
    shares(folder).run()
    with pytest.raises(RefusedInput, match="the choice of parameters was about to use 6 frames of sealed patients"):
        tune(Opening(folder).open())


def test_unknown_patients_are_refused_with_what_decides_it(folder):
    (folder / "images" / "LAO.png").write_bytes((folder / "images" / "P0_0.png").read_bytes())
    with pytest.raises(RefusedInput, match=r"the patient of every frame, found none for 25 of 25.*--group-by"):
        shares(folder, spell=option_name).run()


@pytest.mark.parametrize(
    "asked, said",
    [
        ({}, "train, dev, test: expected shares in per cent that make up 100, got nothing. Or give folds"),
        ({"train": 70, "test": 20}, "make up 100, got train 70, test 20"),
        ({"train": 110, "test": -10}, "make up 100"),
        ({"test": 100, "dev": 0}, "expected two parts at least, got test alone"),
        ({"folds": 1}, "folds: expected at least 2, got 1"),
        ({"folds": 3, "train": 100}, "expected folds or shares, got both"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(folder, asked, said):
    with pytest.raises(UsageProblem, match=said):
        SplitRequest(Opening(folder), **asked).run()
