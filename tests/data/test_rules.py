"""Rules kept with a data set: read, tried out, saved, and never written over another tool's file."""

import errno
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import helpers.data.rule_file as module
from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.layouts.detection import LAYOUTS
from helpers.data.opening import Opening
from helpers.data.rule_file import parse_rules, read_rules, save_rules
from helpers.data.rules import BITS, VALUES, Rules, Saved, with_options
from helpers.data.splits.split import Split

SECTION = {"schema": "vesselkit.dataset", "schema_version": 1}
COCO = {"images": [{"id": 1, "file_name": "P1_1.png", "width": 8, "height": 8}], "annotations": [], "categories": []}
OTHERS = [
    COCO,
    {"labels": {"background": 0, "vessel": 1}, "file_ending": ".png"},
    [{"image": "P1_1.png", "mask": [1, 1, 3, 1, 3, 3]}],
    [{"data": {"image": "P1_1.png"}}],
]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in (1, 2, 3):
        Image.new("L", (8, 8), number).save(folder / f"P1_{number}.png")
    return folder


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


SPLIT = Split(
    {"train": ("P1", "P2"), "test": ("P3",)}, ("test",), "ab" * 8, 4, {"train": 67, "test": 33}, "none: too few"
)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(str.strip)
lists = st.none() | st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple)
anything = st.builds(
    Rules,
    layout=st.none() | st.sampled_from(LAYOUTS),
    ids=st.none() | st.sampled_from(IdPolicy),
    group_by=st.none() | texts,
    values=st.none() | st.sampled_from(VALUES),
    vessel=lists,
    ignore=lists,
    bits=st.none() | st.sampled_from(BITS),
    split=st.none() | st.sampled_from([SPLIT, Split({"a": ("P1",)}, ("a",))]),
).filter(lambda rules: module.in_both(rules) is None)


@given(anything)
def test_what_is_written_is_what_is_read(rules):
    assert parse_rules("x", json.loads(json.dumps(rules.to_dict())), LAYOUTS) == rules


@settings(max_examples=20)
@given(anything, anything)
def test_an_option_that_differs_is_refused_and_an_equal_one_passes(saved, asked):
    kept = Saved(saved, (module.Path("dataset.json"),))
    different = [
        name
        for name, value in asked.decided().items()
        if saved.decided().get(name, value) != value and not (name == "ids" and saved.ids is IdPolicy.PUBLIC)
    ]
    if different:
        with pytest.raises(RefusedInput, match=f"(?s)--{different[0].replace('_', '-')} .*data check DATASET --save"):
            with_options(kept, asked)
    else:
        assert with_options(kept, asked).decided() == {**saved.decided(), **asked.decided()}


def test_rules_are_read_by_every_opening_and_said(folder, caplog):
    rule = r"P(?P<patient>\d)_(?P<frame>\d)"
    assert save_rules(folder, Rules(group_by=rule, ids=IdPolicy.KEEP), LAYOUTS) == folder / "dataset.json"
    with caplog.at_level("INFO"):
        opened = Opening(folder).open()
    said = "rules kept with the data (dataset.json): ids keep, group_by"
    assert said in opened.notes and said in caplog.messages
    assert [case.case_id for case in opened.cases] == ["P1_1", "P1_2", "P1_3"]
    assert {frame.patient for frame in opened.frames} == {"1"}
    assert Opening(folder, group_by=rule, ids="keep").open() == opened
    for other in (Opening(folder, group_by="(?P<patient>.)"), Opening(folder, ids="pseudonym")):
        with pytest.raises(RefusedInput, match=r"dataset\.json"):
            other.open()


def test_what_is_tried_out_is_not_kept(folder):
    save_rules(folder, Rules(vessel=("1",), bits=12), LAYOUTS)
    before = (folder / "dataset.json").read_bytes()
    opened = open_dataset(folder, tried=Rules(vessel=("2",)))
    assert opened.rules == Rules(vessel=("2",), bits=12)
    assert "taken in place of what is saved: vessel 2" in opened.notes
    assert (folder / "dataset.json").read_bytes() == before
    assert open_dataset(folder).rules == Rules(vessel=("1",), bits=12)


@pytest.mark.parametrize("other", OTHERS)
def test_another_tools_file_is_left_alone(folder, other):
    theirs = write(folder / "dataset.json", other).read_bytes()
    path = save_rules(folder, Rules(ids=IdPolicy.KEEP), LAYOUTS)
    assert path == folder / ".vesselkit" / "dataset.json" and (path.parent / ".gitignore").read_text() == "*\n"
    assert save_rules(folder, Rules(ids=IdPolicy.KEEP, bits=10), LAYOUTS) == path
    assert (folder / "dataset.json").read_bytes() == theirs
    opened = open_dataset(folder)
    assert opened.rules == Rules(ids=IdPolicy.KEEP, bits=10)
    assert opened.layout == {0: "coco", 2: "sa2va"}.get(OTHERS.index(other), "images")


def test_an_annotation_file_has_the_rules_of_its_folder(folder):
    file = write(folder / "annotations" / "dataset.json", COCO)
    save_rules(folder, Rules(ids=IdPolicy.KEEP), LAYOUTS)
    assert [open_dataset(path).rules.ids for path in (file, folder)] == [IdPolicy.KEEP] * 2
    assert json.loads(file.read_text()) == COCO
    with pytest.raises(RefusedInput, match="another kind of JSON"):
        open_dataset(folder / "dataset.json")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_cannot_be_written_has_them_beside(folder, monkeypatch, code):
    real = module.write_json_atomic

    def deny(path, value):
        if folder in path.parents:
            raise OSError(code, "not here")
        real(path, value)

    monkeypatch.setattr(module, "write_json_atomic", deny)
    path = save_rules(folder, Rules(ids=IdPolicy.KEEP), LAYOUTS)
    assert path == folder.with_name("set.vesselkit.json") and not (folder / "dataset.json").exists()
    opened = open_dataset(folder)
    assert opened.rules == Rules(ids=IdPolicy.KEEP)
    assert opened.notes[0] == "rules kept with the data (the .vesselkit.json file beside the folder): ids keep"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EIO])
def test_an_interrupted_save_leaves_what_was_there(folder, monkeypatch, code):
    save_rules(folder, Rules(bits=12), LAYOUTS)
    before = sorted((path, path.read_bytes()) for path in folder.iterdir())

    def fail(source, target):
        raise OSError(code, "no more")

    monkeypatch.setattr("helpers.core.atomic.os.replace", fail)
    with pytest.raises(RefusedInput, match="Nothing was saved"):
        save_rules(folder, Rules(bits=13), LAYOUTS)
    assert sorted((path, path.read_bytes()) for path in folder.iterdir()) == before


def test_files_complete_each_other_and_must_not_contradict(folder):
    write(folder / "dataset.json", {"ids": "public"})
    hidden = write(folder / ".vesselkit" / "dataset.json", {**SECTION, "bits": 12})
    beside = write(folder.with_name("set.vesselkit.json"), {**SECTION, "ids": "public", "vessel": ["1"]})
    assert open_dataset(folder).rules == Rules(ids=IdPolicy.PUBLIC, bits=12, vessel=("1",))
    write(beside, {**SECTION, "bits": 10})
    with pytest.raises(RefusedInput, match=r"set\.vesselkit\.json: .*contradict.*bits 10 here, 12 in"):
        open_dataset(folder)
    beside.unlink()
    with pytest.raises(RefusedInput, match=r"contradict.*bits 11 here, 12 in .*\.vesselkit"):
        save_rules(folder, Rules(bits=11), LAYOUTS)
    hidden.unlink()
    assert save_rules(folder, Rules(bits=11, ids=IdPolicy.PUBLIC), LAYOUTS) == folder / "dataset.json"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"schema_version": 3}, "version 1 or 2, found 3"),
        ({"schema_version": True}, "version 1 or 2, found True"),
        ({"schema_version": None}, "version 1 or 2, found None"),
        ({"schema": "vesselkit.run"}, "expected vesselkit.dataset"),
        ({"vessels": ["1"]}, "found 'vessels'"),
        ({"vessel": "1"}, "vessel: expected a list of different texts, found '1'"),
        ({"vessel": [1]}, "vessel: expected a list"),
        ({"vessel": []}, "vessel: expected a list"),
        ({"ignore": ["a", "a"]}, "ignore: expected a list"),
        ({"vessel": ["a"], "ignore": ["a"]}, "found both"),
        ({"bits": 17}, "bits: expected a whole number from 8 to 16"),
        ({"bits": 12.0}, "bits: expected"),
        ({"bits": True}, "bits: expected"),
        ({"group_by": 3}, "group_by: expected a text"),
        ({"group_by": " "}, "group_by: expected a text"),
        ({"values": "logit"}, "values: expected one of mask, probability"),
        ({"layout": "unheard"}, "layout: expected one of"),
        ({"ids": "secret"}, "ids: expected one of"),
        ({"ids": ["keep"]}, "ids: expected one of"),
        ({"split": {"parts": {"train": ["P1"]}}}, "found 'split'"),  # of version 2 only
        ({"schema_version": 2, "split": {"parts": {}}}, "split: expected such as"),
        ({"schema_version": 2, "split": {"parts": {"train": ["P1"]}, "of": 1}}, "found 'of'"),
        ({"schema_version": 2, "split": {"parts": {"train": "P1"}}}, "part train: expected a list of texts"),
        ({"schema_version": 2, "split": {"parts": {"a,b": ["P1"]}}}, "without commas"),
        ({"schema_version": 2, "split": {"parts": {"a": ["P1"]}, "sealed": ["b"]}}, "sealed parts out of a, found 'b'"),
        ({"schema_version": 2, "split": {"parts": {"a": ["P1"]}, "seed": True}}, "seed: expected a whole number"),
        ({"schema_version": 2, "split": {"parts": {"a": ["P1"]}, "strata": 3}}, "strata: expected a text"),
        ({"schema_version": 2, "split": {"parts": {"a": ["P1", "P2"], "b": ["P2"]}}}, "patient P2 stands in a and b"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(folder, wrong, said):
    write(folder / "dataset.json", {**SECTION, **wrong})
    with pytest.raises(RefusedInput, match=said) as refusal:
        read_rules(folder, LAYOUTS)
    assert str(folder / "dataset.json") in str(refusal.value)


@pytest.mark.parametrize(
    "value", [{"group_by": "x"}, {"ids": "public", "vessel": ["1"]}, {"ids": "secret", "x": 1}, []]
)
def test_rules_without_their_schema_are_not_guessed(folder, value):
    write(folder / "dataset.json", value)
    with pytest.raises(RefusedInput, match=r"dataset\.json: expected such as"):
        open_dataset(folder)


def test_an_old_file_with_more_in_it_is_read_and_not_written_over(folder):
    old = write(folder / "dataset.json", {"ids": "public", "about": "ours"})
    assert open_dataset(folder).ids is IdPolicy.PUBLIC
    assert save_rules(folder, Rules(ids=IdPolicy.PUBLIC, bits=9), LAYOUTS).parent.name == ".vesselkit"
    assert json.loads(old.read_text()) == {"ids": "public", "about": "ours"}
    assert open_dataset(folder).rules == Rules(ids=IdPolicy.PUBLIC, bits=9)


@pytest.mark.parametrize("path", ["dataset.json", ".vesselkit/dataset.json", "../set.vesselkit.json"])
def test_damaged_rules_stop_the_reading(folder, path):
    (folder / ".vesselkit").mkdir()
    (folder / path).write_text('{"schema": "vesselkit.data')
    with pytest.raises(RefusedInput, match="expected JSON"):
        open_dataset(folder)
