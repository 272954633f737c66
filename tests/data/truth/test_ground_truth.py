"""Truths: problems without raising, masks or refusals, rescaling on request."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.truth.ground_truth import BrokenTruth, MaskFileTruth, PolygonTruth, RleTruth, UnionTruth
from helpers.data.truth.shapes import encode
from helpers.data.truth.truth_problem import texts
from tests.data.truth.test_shapes import triangles

SQUARE = (1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0)


def mask_file(path, mask):
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return MaskFileTruth(path)


@pytest.fixture
def square():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 1:3] = True
    return mask


def test_every_kind_gives_the_same_mask(square, tmp_path):
    truths = (
        PolygonTruth((SQUARE,), (6, 4)),
        PolygonTruth((SQUARE,)),
        RleTruth((encode(square),)),
        mask_file(tmp_path / "m.png", square),
        UnionTruth((PolygonTruth((SQUARE,)), RleTruth((encode(square),)))),
    )
    for truth in truths:
        assert texts(truth.problems(6, 4)) == ()
        assert (truth.mask(6, 4) == square).all()
        assert truth.size in {(6, 4), None}


def test_another_size_is_refused_and_rescaled_on_request(square, tmp_path):
    doubled = np.kron(square, np.ones((2, 2))) > 0
    for truth in (PolygonTruth((SQUARE,), (6, 4)), RleTruth((encode(square),)), mask_file(tmp_path / "m.png", square)):
        assert texts(truth.problems(12, 8)) == ("made for 6x4, the frame is 12x8",)
        with pytest.raises(RefusedInput, match="made for 6x4, the frame is 12x8"):
            truth.mask(12, 8)
        assert (truth.rescaled_mask(12, 8) == doubled).all()


def test_polygons_of_no_stated_size_are_rescaled_from_a_given_one():
    truth = PolygonTruth((SQUARE,))
    with pytest.raises(RefusedInput, match="does not say what image size"):
        truth.rescaled_mask(12, 8)
    assert truth.rescaled_mask(12, 8, made_for=(6, 4)).sum() == 16


def test_problems_list_all_and_number_the_polygons():
    truth = PolygonTruth((SQUARE, (1, 1, 2, 2), (1, 1, 799, 1, 2, 2)), (512, 512))
    assert texts(truth.problems()) == ("polygon 2 has 2 points", "polygon 3 reaches x=799 on a 512 px wide image")
    with pytest.raises(RefusedInput, match="polygon 2 has 2 points; polygon 3 reaches x=799"):
        truth.mask(512, 512)


def test_codes_of_different_sizes_are_a_problem(square):
    truth = RleTruth((encode(square), encode(square.T)))
    assert texts(truth.problems()) == ("run-length code 2 is of another size than the first",)


def test_damaged_sources_are_problems_first_and_refusals_when_asked(tmp_path):
    for truth in (BrokenTruth("it is cut"), RleTruth(({},)), MaskFileTruth(tmp_path / "none.png")):
        assert truth.size is None
        for ask in (truth.mask, truth.rescaled_mask):
            with pytest.raises(RefusedInput):
                ask(6, 4)
        assert all("none.png" not in problem for problem in texts(truth.problems()))
        assert len(truth.problems()) == 1


def test_a_union_is_broken_by_any_of_its_parts(square):
    truth = UnionTruth((RleTruth((encode(square),)), BrokenTruth("it is cut")))
    assert texts(truth.problems(6, 4)) == ("it is cut",)
    with pytest.raises(RefusedInput, match="it is cut"):
        truth.mask(6, 4)


def test_no_name_shows_in_the_text_of_a_truth(tmp_path):
    assert "Doe" not in repr(MaskFileTruth(tmp_path / "Doe_Jane.png"))


@given(st.lists(triangles(), max_size=3), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_polygons_rescaled_are_the_polygons_drawn_larger(polygons, factor):
    small = PolygonTruth(tuple(polygons), (24, 18))
    large = PolygonTruth(tuple(tuple(factor * value for value in polygon) for polygon in polygons))
    width, height = 24 * factor, 18 * factor
    assert (small.rescaled_mask(width, height) == large.mask(width, height)).all()
