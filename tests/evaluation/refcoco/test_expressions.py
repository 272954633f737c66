"""Every expression has its own ground truth."""

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.evaluation.refcoco.expressions import check_truths, read_expressions
from tests.support.annotation_files import OTHER, SQUARE, frames, write
from tests.support.expressions import write_refcoco, write_sa2va


def described(found):
    return [(item.expression_id, item.text, int(item.truth.mask(8, 6).sum())) for item in found.items]


def test_each_sentence_of_each_reference(tmp_path):
    root = write_refcoco(tmp_path)
    for path in (root, root / "refs.json"):
        found = read_expressions(open_dataset(path))
        assert described(found) == [
            ("a-E01", "left", 4),
            ("a-E02", "The Left.", 4),
            ("a-E03", "both", 8),
            ("b-E01", "nothing", 4),
        ]
        assert found.left_out == {"entries that could not be read": 1}
        assert check_truths(found) == {"a": (8, 6), "b": (8, 6)}


def test_a_split_takes_its_alone(tmp_path):
    found = read_expressions(open_dataset(write_refcoco(tmp_path), split="test"))
    assert described(found) == [("b-E01", "nothing", 4)]


def test_each_text_with_the_object_at_its_place(tmp_path):
    entries = [
        {"image": "a.png", "mask": [[SQUARE], [SQUARE, OTHER]], "text": ["left", "both"]},
        {"image": "b.png", "mask": [SQUARE, OTHER], "text": "all"},
        {"image": "b.png", "mask": [[OTHER]], "text": [" right "]},
        {"image": "a.png", "mask": [[SQUARE]], "text": ["one", "two"]},
        {"image": "a.png", "mask": [[SQUARE]]},
        {"image": "a.png", "mask": [[SQUARE], [OTHER]], "text": ["", "right"]},
        {"image": "../../x.png", "mask": [[SQUARE]], "text": ["away"]},
    ]
    found = read_expressions(open_dataset(write_sa2va(tmp_path, entries)))
    assert described(found) == [
        ("a-E01", "left", 4),
        ("a-E02", "both", 8),
        ("a-E03", "right", 4),
        ("b-E01", "all", 8),
        ("b-E02", "right", 4),
    ]
    assert found.left_out == {
        "entries that could not be read": 1,
        "entries whose numbers of texts and objects differ": 1,
        "entries without a text": 1,
        "objects without a text": 1,
    }


def test_a_truth_that_does_not_fit_is_refused_before_anything_is_predicted(tmp_path):
    outside = [10, 1, 13, 1, 13, 3, 10, 3]
    root = write_sa2va(tmp_path, [{"image": "a.png", "mask": [[outside]], "text": ["vessel"]}])
    with pytest.raises(RefusedInput, match="found 1 that do not, the first a-E01: polygon 1"):
        check_truths(read_expressions(open_dataset(root)))


def test_data_without_expressions_is_refused(tmp_path):
    frames(tmp_path / "plain", "a.png")
    with pytest.raises(RefusedInput, match="which has no expressions"):
        read_expressions(open_dataset(tmp_path / "plain"))
    root = write_sa2va(tmp_path / "bare", [{"image": "a.png", "mask": [[SQUARE]]}])
    with pytest.raises(RefusedInput, match="found none; 1 entries without a text"):
        read_expressions(open_dataset(root))


def test_references_without_a_sentence_are_counted(tmp_path):
    root = write_refcoco(tmp_path)
    refs = [
        {"ann_id": 1, "image_id": 1, "sentences": [{"sent": " "}]},
        {"ann_id": 2, "image_id": 1, "sentences": []},
        {"ann_id": 3, "image_id": 2, "sentences": [{"sent": ""}, {"sent": " of b "}]},
    ]
    write(root / "refs.json", refs)
    found = read_expressions(open_dataset(root))
    assert described(found) == [("b-E01", "of b", 4)]
    assert found.left_out == {"references without a sentence": 2}


def test_what_each_kind_of_entry_lacks_is_counted(tmp_path):
    more = [
        {"image": "a.png", "mask": [[SQUARE]], "text": ["left"]},
        *[{"image": "a.png", "mask": [[SQUARE]], "text": []}] * 2,
        *[{"image": "a.png", "mask": [[SQUARE], [OTHER]], "text": [7, " ", "x"]}] * 3,
        {"image": "b.png", "mask": [[SQUARE], [OTHER]], "text": [7, " "]},
    ]
    found = read_expressions(open_dataset(write_sa2va(tmp_path, more)))
    assert described(found) == [("a-E01", "left", 4)]
    assert found.left_out == {
        "entries whose numbers of texts and objects differ": 3,
        "entries without a text": 2,
        "objects without a text": 2,
    }
