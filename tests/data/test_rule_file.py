"""A part of a data set, opened by itself, has the rules of the whole."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.layouts.detection import LAYOUTS
from helpers.data.opening import Opening
from helpers.data.rule_file import save_rules
from helpers.data.rules import Rules


@pytest.fixture
def whole(tmp_path):
    """Two parts, of which one is darker; masks of 0, 1 and 255."""
    for part, top in (("train", 700), ("test", 4000)):
        for kind in ("images", "masks"):
            (tmp_path / "whole" / "study" / part / kind).mkdir(parents=True)
        for at in range(2):
            name = f"a{at}_1_{part}.png"
            grey = np.linspace(at, top, 64).reshape(8, 8).astype(np.uint16)
            Image.fromarray(grey).save(tmp_path / "whole" / "study" / part / "images" / name)
            mask = np.zeros((8, 8), np.uint8)
            mask[2:4], mask[6] = 1, 255
            Image.fromarray(mask).save(tmp_path / "whole" / "study" / part / "masks" / name)
    return tmp_path / "whole"


def pixels(opened, name):
    (case,) = (case for case in opened.cases if case.frame.path.name == name)
    return np.asarray(read_frame(case.frame.path, None, case.frame.bits)), case.truth


@pytest.mark.parametrize("part", ["study", "study/train", "study/train/images"])
def test_depth_and_values_are_those_of_the_whole(whole, part):
    save_rules(whole, Rules(bits=12, vessel=("1",), ignore=("255",)), LAYOUTS)
    frame, truth = pixels(open_dataset(whole), "a0_1_train.png")
    opened = open_dataset(whole / part)
    same, other = pixels(opened, "a0_1_train.png")
    assert (frame == same).all() and frame.max() == round(700 / 4095 * 255)
    assert opened.notes[0] == "rules kept in a folder above (dataset.json): vessel 1, ignore 255, bits 12"
    if part != "study/train/images":
        assert (truth.mask(8, 8) == other.mask(8, 8)).all() and truth.mask(8, 8).sum() == 16
        assert other.ignored(8, 8).sum() == 8


def test_a_rule_on_names_is_searched_in_those_of_the_whole(whole):
    rule = r"study/(?P<sequence>[a-z]+)/.*(?P<patient>a\d)"
    save_rules(whole, Rules(bits=12, vessel=("1",), group_by=rule), LAYOUTS)
    opened = open_dataset(whole / "study" / "train")
    assert "grouping by the given rule: 2 patients, 2 sequences, 2 frames" in opened.notes
    assert {case.frame.path.parent.name for case in opened.cases} == {"images"}


def test_rules_of_its_own_go_first_and_the_layout_is_its_own(whole):
    save_rules(whole, Rules(layout="paired", bits=12, vessel=("1",)), LAYOUTS)
    save_rules(whole / "study", Rules(bits=14), LAYOUTS)
    opened = open_dataset(whole / "study" / "test" / "images")
    assert (opened.rules, opened.layout) == (Rules(bits=14), "images")
    assert open_dataset(whole / "study").rules == Rules(bits=14, vessel=("1",))


def test_an_option_that_differs_from_a_rule_above_is_refused(whole):
    save_rules(whole, Rules(group_by="(?P<patient>a.)", vessel=("1",)), LAYOUTS)
    with pytest.raises(RefusedInput, match=r"the rules kept in a folder above \(dataset.json\) say group_by"):
        open_dataset(whole / "study", group_by="(?P<patient>a)")
    assert len(open_dataset(whole / "study", group_by="(?P<patient>a.)").cases) == 4


def test_what_comes_from_above_is_not_saved_again_below(whole):
    save_rules(whole, Rules(group_by="study/train/.*(?P<patient>a.)", bits=12, vessel=("1",)), LAYOUTS)
    opening = Opening(whole / "study" / "train")
    kept = opening.to_keep(opening.open(Rules()), Rules(ignore=("255",)))
    assert kept == Rules(layout="paired", ignore=("255",))


@pytest.mark.parametrize("other", ["{", '{"ids": "public"}', '[{"image": "x"}]', "vesselkit.dataset"])
def test_another_file_above_plays_no_part(whole, other):
    (whole / "dataset.json").write_text(other)
    assert open_dataset(whole / "study" / "test" / "images").rules == Rules()


def test_damaged_rules_above_are_refused(whole):
    (whole / "dataset.json").write_text(json.dumps({"schema": "vesselkit.dataset", "schema_version": 9}))
    with pytest.raises(RefusedInput, match="expected vesselkit.dataset of version 1"):
        open_dataset(whole / "study" / "test" / "images")
