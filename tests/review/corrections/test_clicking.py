"""A viewer's message in, a mask out; the model is a stand-in that says what it was given."""

import json

import numpy as np
import pytest

from helpers.core.errors import UsageProblem
from helpers.review.corrections.clicking import Clicking
from helpers.review.packed_masks import unpacked
from helpers.review.payload import packed
from helpers.review.review_source import open_source
from tests.support.review_runs import BROKEN, GRIDDED, HEIGHT, SAME, WIDTH, write_data, write_run
from tests.support.stand_in_clicks import RowsForPoints

POINT = [20.5, 10, 1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clicking")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


@pytest.fixture
def clicking(source):
    return Clicking(source, RowsForPoints())


def rows(text):
    """How many rows of a mask are marked."""
    return int(unpacked(text, HEIGHT, WIDTH).any(axis=1).sum())


def test_one_click_gives_masks_the_best_first_and_names_the_model(clicking):
    reply = json.loads(json.dumps(clicking.reply({"case_id": GRIDDED, "points": [POINT]})))
    assert [rows(text) for text in reply["masks"]] == [2, 3, 1]
    assert reply["predicted_iou"] == pytest.approx([0.9, 0.4, 0.2]) and reply["weights"] == "a" * 64
    asked = clicking.model.asked[0]
    assert (asked["points"], asked["labels"], asked["box"]) == ([(20.5, 10.0)], [1], None)
    assert asked["mask"] is None and asked["logits"] is None


def test_the_mask_so_far_goes_in(clicking):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[3, 4:9] = True
    reply = clicking.reply({"case_id": GRIDDED, "points": [], "box": [1, 2, 30, 40], "mask": packed(mask)})
    asked = clicking.model.asked[0]
    assert len(reply["masks"]) == 1 and asked["box"] == [1, 2, 30, 40]
    np.testing.assert_array_equal(asked["mask"], mask)


def test_an_answer_that_comes_back_as_it_was_goes_on_from_its_logits(clicking):
    first = clicking.reply({"case_id": GRIDDED, "points": [POINT]})
    clicking.reply({"case_id": GRIDDED, "points": [POINT, [1, 1, 0]], "mask": first["masks"][0]})
    asked = clicking.model.asked[1]
    assert asked["mask"] is None and (asked["logits"] == 1).all()  # those of the second mask, which was the best
    clicking.reply({"case_id": GRIDDED, "points": [POINT] * 5, "mask": first["masks"][1]})  # undone, and another way
    assert (clicking.model.asked[2]["logits"] == 2).all()


def test_logits_of_another_case_are_not_gone_on_from(clicking):
    first = clicking.reply({"case_id": GRIDDED, "points": [POINT]})
    clicking.reply({"case_id": SAME, "points": [POINT], "mask": first["masks"][0]})
    assert clicking.model.asked[1]["logits"] is None and clicking.model.asked[1]["mask"].any()


def test_a_click_reads_neither_ground_truth_nor_predictions(source, monkeypatch):
    monkeypatch.setattr(type(source), "view", None)
    reply = Clicking(source, RowsForPoints()).reply({"case_id": GRIDDED, "points": [POINT]})
    assert len(reply["masks"]) == 3


def test_an_empty_mask_says_nothing(clicking):
    clicking.reply({"case_id": GRIDDED, "points": [POINT], "mask": packed(np.zeros((HEIGHT, WIDTH), bool))})
    assert clicking.model.asked[0]["mask"] is None


def test_without_a_click_the_frame_is_read_ahead(clicking):
    assert clicking.reply({"case_id": GRIDDED})["masks"] == []
    assert clicking.model.opened == [(WIDTH, HEIGHT)] and not clicking.model.asked


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({}, "the id of a case"),
        ({"case_id": "nobody"}, "a case of the run to click on, got 'nobody'"),
        ({"case_id": BROKEN}, "cannot be read"),
        ({"case_id": GRIDDED, "points": [[1, 2]]}, r"points: expected a list of \[x, y, label\]"),
        ({"case_id": GRIDDED, "points": [[1, "2", 1]]}, "points: expected numbers"),
        ({"case_id": GRIDDED, "points": [[1, 2, 3]]}, "label 1"),
        ({"case_id": GRIDDED, "points": [POINT], "box": [1, 2]}, "box: expected"),
    ],
)
def test_other_messages_are_refused(clicking, asked, word):
    with pytest.raises(UsageProblem, match=word):
        clicking.reply(asked)


@pytest.mark.parametrize("text", [7, "%%%", "AAAA", packed(np.ones((4, 4), bool))])
def test_a_mask_that_is_none_is_refused(clicking, text):
    with pytest.raises(ValueError, match="mask: expected"):
        clicking.reply({"case_id": GRIDDED, "points": [POINT], "mask": text})
