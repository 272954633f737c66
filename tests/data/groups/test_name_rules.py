"""The rule that grouped a data set reads the patients of other names too, or says that it cannot."""

import re
from pathlib import Path

import pytest

from helpers.data.cases import Record
from helpers.data.groups.grouping import group
from helpers.data.groups.name_rules import (
    FolderRule,
    LayoutRule,
    NoRule,
    PatternRule,
    StemRule,
    composed,
    path_ends,
    rule_of,
)

HERE = Path("/data")


def rule_for(names, rule=None, layout="images", **values):
    read = tuple(Record(name, HERE / name, **values) for name in names)
    grouped, _ = group(read, rule, HERE)
    return rule_of(read, grouped, rule, layout, by_column=False)


def patients(rule, *names):
    return [None if (found := rule.read(name)) is None else found.patient for name in names]


def test_which_rule_grouped_a_data_set():
    assert isinstance(rule_for(["P1/7.png", "P2/7.png"]), FolderRule)
    assert rule_for(["P1/a/7.png", "P2/a/7.png"]) == FolderRule(2)
    assert isinstance(rule_for(["images/P1_1_10.png", "images/P1_2_11.png"]), StemRule)
    assert isinstance(rule_for(["a.png", "b.png"]), NoRule)
    assert isinstance(rule_for(["a_1.png"], r"(?P<patient>\w)_"), PatternRule)
    assert isinstance(rule_for(["a.dcm"], patient="P1", from_header=frozenset({"patient"})), NoRule)
    assert isinstance(rule_for(["images/21_training.tif"], layout="drive", patient="21"), LayoutRule)
    read = (Record("a.png", HERE / "a.png"),)
    assert isinstance(rule_of(read, read, "column:who", "images", by_column=True), NoRule)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("images/pat7_02_034.png", "pat7"),
        ("pat7_02_034.png", "pat7"),
        ("/mnt/doe/train/images/pat7_02_034.jpg", "pat7"),
        ("C:\\data\\images\\pat7_02_034.png", "pat7"),
        ("pat7_02_034", "pat7"),
        ("00012_3.png", None),
    ],
)
def test_a_pattern_reads_names_wherever_they_lie(name, patient):
    rule = rule_for(["images/pat1_02_001.png", "images/pat2_02_001.png"], r"(?P<patient>pat\d+)_\d+_\d+\.png")
    assert patients(rule, name) == [patient]


def test_a_pattern_of_folders_means_the_depth_of_the_data_set():
    rule = rule_for(["A/s1/1.png", "B/s1/2.png"], r"^(?P<patient>[^/]+)/(?P<sequence>[^/]+)/")
    assert patients(rule, "A/s1/9.png", "/mnt/study/C/s2/9.png", "9.png") == ["A", "C", None]
    other = rule_for(["A/s1/1.png", "B/s1/2.png"], r"(?P<patient>[^/]+)/(?P<sequence>[^/]+)/[^/]+$")
    assert patients(other, "P12/s1/images/7.png", "images/7.png") == [None, None]  # not of that depth: not guessed


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["P1/7.png", "P2/7.png"], ["P3/1.png", "x/P3/images/1.png", "P3_1.png", "A/1.png"], ["P3", "P3", "P3", None]),
        (["P1/a/7.png", "P2/b/7.png"], ["P3/c/1.png", "P3/1.png", "P3/P4/1.png"], ["P3", "P3", None]),
        (
            ["P1_S1_001.png", "P2_S1_001.png"],
            ["P3_S2_004.png", "P3_004.png", "P3/004.png", "angio_P3_004.png", "P3/P4/9.png"],
            ["P3", "P3", "P3", None, None],
        ),
    ],
)  # fmt: skip
def test_common_layouts_read_each_others_names(names, others, expected):
    assert patients(rule_for(names), *others) == expected


def test_a_published_layout_reads_its_own_names():
    assert patients(LayoutRule("drive"), "x/22_training.tif", "22.tif") == ["22", None]


def test_the_place_of_a_patient_is_in_the_name_as_given():
    for rule, name, text in (
        (rule_for(["x_P1_1.png"], r"_(?P<patient>P\d+)_"), "a/b/x_P77_2.jpg", "P77"),
        (rule_for(["P1/7.png", "P2/7.png"]), "train/P33/8.png", "P33"),
        (rule_for(["P1_01.png", "P2_01.png"]), "train/P33_08.png", "P33"),
    ):
        start, end = rule.read(name).place
        assert name[start:end] == text
    repeated = rule_for(["P1/P1/7.png", "P2/P2/7.png"])
    assert repeated.read("P1/P1/7.png") is None


def test_a_sequence_alone():
    rule = rule_for(["041_7.png", "042_7.png"], r"(?P<sequence>\d+)_")
    found = rule.read("044_9.png")
    assert (found.patient, found.sequence) == (None, "044")


def test_ends_of_a_path_and_composed_names():
    assert path_ends("a\\b/c.v2.png#3") == ["c.v2", "b/c.v2", "a/b/c.v2"]
    assert path_ends("P1.5_003") == ["P1.5_003"]
    assert composed("a\\u\u0308") == "a/ü"
    assert re.fullmatch("ü", composed("u\u0308"))
