"""What is read out of a config's source."""

import ast

from helpers.evaluation.leakage.config_source import TrainedOn, data_sets, inherited, texts, words_of


def test_a_text_comes_with_the_names_that_it_stands_under():
    tree = ast.parse("train_set = dict(ann_file='a.json', val={'img_dir': 'b/c'})")
    assert dict(texts(tree, frozenset())) == {
        "a.json": {"train", "set", "ann", "file"},
        "b/c": {"train", "set", "val", "img", "dir"},
    }


def test_data_sets_of_the_kit_are_known_by_their_type():
    source = "a = dict(type='vesselkit.SegmentationSamples', data='d', split='train')\nb = dict(type='Other', data='e')"
    assert list(data_sets(ast.parse(source))) == [TrainedOn("d", None, "train")]
    assert list(data_sets(ast.parse("a = {'type': 'SegmentationSamples', 'data': None}"))) == []


def test_configs_that_are_taken_over():
    assert list(inherited(ast.parse("_base_ = ['one.py', '../two.py']"))) == ["one.py", "../two.py"]
    source = "with read_base():\n    from ..base.three import *\n    import installed\n"
    assert list(inherited(ast.parse(source))) == ["../base/three.py", None]


def test_words_are_letters_in_small():
    assert words_of("Train_Images-2") == {"train", "images"}
