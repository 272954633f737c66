"""Patients and sequences: found where it is sure, unknown where it is not."""

from pathlib import Path

import pytest

from helpers.core.errors import UsageProblem
from helpers.data.cases import Record
from helpers.data.groups.grouping import group

HERE = Path("/data")


def records(*names, **values):
    return tuple(Record(name, HERE / name, **values) for name in names)


def groups(names, rule=None, folder=HERE):
    found, _ = group(records(*names), rule, folder)
    return [(record.patient, record.sequence, record.number) for record in found]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["P12_S3_045.png", "P13_S3_001.png"], [("P12", "S3", 45), ("P13", "S3", 1)]),
        (["P12-S3.png", "P13-S3.png"], [("P12", "S3", None), ("P13", "S3", None)]),
        (["p1_003.png", "p2_003.png"], [("p1", None, 3), ("p2", None, 3)]),
        (["images/P1_1_10.png", "images/P1_2_11.png"], [("P1", "1", 10), ("P1", "2", 11)]),
        (["pat1/lca/f7.png", "pat2/lca/f8.png"], [("pat1", "lca", 7), ("pat2", "lca", 8)]),
        (["images/case_1/lca/f7.png", "case_2/images/rca/x.png"], [("case_1", "lca", 7), ("case_2", "rca", None)]),
        (["case_1_S2.png", "case_2_S2.png"], [("case_1", "S2", None), ("case_2", "S2", None)]),
        (["P1/7.png", "P2/7.png"], [("P1", None, 7), ("P2", None, 7)]),
    ],
)
def test_common_layouts(names, expected):
    assert groups(names) == expected


@pytest.mark.parametrize(
    "names",
    [
        [f"images/case_{number:03d}.png" for number in range(1, 41)],
        ["LAO/S1/1.png", "RAO/S1/1.png"],
        ["good/a/1.png", "good/b/2.png", "bad/a/1.png"],
        ["2021/a/1.png", "2022/a/1.png"],
        ["images/A/lca/7.png", "images/B/rca/8.png"],
        ["Doe_1_10.png", "Doe_1_11.png"],
        ["case_1_2.png", "case_1_3.png"],
        ["P1/1.png", "other/2.png"],
        ["img_1_1.png", "img_1_2.png"],
        ["lca_1_1.png", "lca_1_2.png"],
        ["center1/A/1.png", "center2/B/2.png"],
        ["normal/1.png", "stenosis/2.png"],
        ["Doe_2024-01-05.png", "Doe_2024-01-06.png"],
        ["Doe_1_10.png", "Roe_1_10.png"],
        ["P12_S3_045.png", "other.png"],
        ["1.png", "2.png"],
    ],
)
def test_where_it_is_unsure_nothing_is_grouped(names):
    found, notes = group(records(*names), None, HERE)
    assert all((record.patient, record.sequence) == (None, None) for record in found)
    assert "each image is its own patient" in notes[0] and "--group-by" in notes[0]


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (["Doe_1_2.png", "Doe_1_10.png", "Roe_2_3.png"], "2 patients, 2 sequences, 3 frames"),
        (["Doe_2.png", "Doe_10.png", "Roe_3.png"], "2 patients, 0 sequences, 3 frames"),
        (["LAO/a.png", "LAO/b.png", "RAO/c.png"], "2 patients, 0 sequences, 3 frames"),
        (["images/A/x/1.png", "images/A/y/2.png", "images/B/x/1.png"], "2 patients, 3 sequences, 3 frames"),
    ],
)
def test_a_rule_is_suggested_that_fits_these_very_names(names, counts):
    _, (note,) = group(records(*names), None, HERE)
    rule = note.split("--group-by '")[1].split("'")[0]
    assert note.endswith(f"would give {counts}")
    assert f"grouping by the given rule: {counts}" in group(records(*names), rule, HERE)[1]
    assert not any(word in note for word in ("Doe", "Roe", "LAO"))


@pytest.mark.parametrize("names", [["a.png", "b.png"], ["images/case_1.png", "images/case_2.png"], ["train/a.png"]])
def test_no_rule_is_suggested_where_none_tells_patients_apart(names):
    assert "would give" not in group(records(*names), None, HERE)[1][0]


def test_errors_name_places_and_no_files(tmp_path):
    (tmp_path / "list.csv").write_text("file,who\nDoe_1.png,A\n")
    for rule in (r"(?P<patient>z)", r"(?P<frame>[A-z]+)", "column:who"):
        with pytest.raises(UsageProblem) as refusal:
            group(records("Doe_1.png", "Roe_2.png"), rule, tmp_path)
        assert "Doe" not in str(refusal.value) and "Roe" not in str(refusal.value)


def test_what_the_reader_states_goes_first():
    given = records("P12_S3_045.png", patient="X")
    found, notes = group(given, None, HERE)
    assert found == given and "as the layout states" in notes[0]


def test_a_pattern_groups_and_counts():
    found, notes = group(records("a/1-7.png", "b/1-8.png"), r"(?P<patient>\w+)/(?P<sequence>\d)-(?P<frame>\d+)", HERE)
    assert [(record.patient, record.sequence, record.number) for record in found] == [("a", "1", 7), ("b", "1", 8)]
    assert "2 patients, 2 sequences, 2 frames" in notes[0]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("(", "regular expression"),
        (r"\d", "named groups"),
        (r"(?P<site>\d)", "site"),
        (r"(?P<patient>z)", "none in 2 of 2"),
        (r"(?P<frame>[a-z])", "ends in a number"),
        ("column:patient", "one CSV file"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(tmp_path, rule, words):
    with pytest.raises(UsageProblem, match=words):
        groups(["a/1.png", "b/2.png"], rule, tmp_path)


def test_a_long_number_is_nobodys_frame(tmp_path):
    name, pattern = "P1/0012345678.png", r"(?P<patient>P1)/(?P<frame>\d+)"
    assert groups([name]) == [("P1", None, None)]
    with pytest.raises(UsageProblem, match="at most 6 digits"):
        groups([name], pattern)
    assert groups(["P1/001234.png"], pattern) == [("P1", None, 1234)]
    (tmp_path / "list.csv").write_text("file,who,frame\n0012345678.png,A,0012345678\n")
    with pytest.raises(UsageProblem, match="at most 6 digits") as refusal:
        groups([name], "column:who", tmp_path)
    assert "12345678" not in str(refusal.value)


def test_a_column_groups(tmp_path):
    (tmp_path / "list.csv").write_text("file,who,sequence,frame\n1.png,A,s,4\nb/2.png,B,,\n")
    assert groups(["a/1.png", "b/2.png"], "column:who", tmp_path) == [("A", "s", 4), ("B", None, None)]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_of_a_spreadsheet_is_read(tmp_path, delimiter):
    (tmp_path / "list.csv").write_text("file,who,age\n1.png,A,60\n2.png,B,61\n".replace(",", delimiter))
    assert groups(["1.png", "2.png"], "column:who", tmp_path) == [("A", None, None), ("B", None, None)]


def test_a_column_that_no_table_has_is_refused_with_those_there(tmp_path):
    (tmp_path / "list.csv").write_text("file;who\nDoe.png;A\n")
    with pytest.raises(UsageProblem, match=r"list.csv has 'file', 'who'; a column") as refusal:
        groups(["Doe.png"], "column:patient", tmp_path)
    assert "Doe" not in str(refusal.value)


def test_a_table_of_patients_beside_the_data_is_suggested_and_not_taken(tmp_path):
    (tmp_path / "list.csv").write_text("file,Patient_ID\n1.png,A\n2.png,A\n")
    (tmp_path / "other.csv").write_text("patient,age\nA,60\n")
    (tmp_path / "empty.csv").write_text("")
    found, notes = group(records("1.png", "2.png"), None, tmp_path)
    assert [record.patient for record in found] == [None, None]
    assert notes[0].endswith("a CSV file beside the data names patients: --group-by column:Patient_ID")


def test_folders_of_a_layout_are_never_suggested_as_patients():
    for folders in (("imagesTr", "imagesTs"), ("img_dir/train", "img_dir/val"), ("images/default", "images/default")):
        _, notes = group(records(*(f"{folder}/x_{n}.png" for folder in folders for n in (1, 2))), None, HERE)
        assert "(?P<patient>[^/]+)/" not in notes[0]


def test_a_column_that_lacks_an_image_is_refused(tmp_path):
    (tmp_path / "list.csv").write_text("file,who\n1.png,A\n1.png,B\n")
    with pytest.raises(UsageProblem, match="2 of 2"):
        groups(["a/1.png", "b/2.png"], "column:who", tmp_path)


def test_a_suggested_rule_does_not_take_the_view_for_a_part_of_the_patient():
    views = [f"patient{number}_{view}" for number in (1, 2) for view in ("LCA", "RCA")]
    names = [f"frames/{view}_{frame:03d}.png" for view in views for frame in (1, 2)]
    _, (note,) = group(records(*names), None, HERE)
    rule = note.split("--group-by '")[1].split("' would give")[0]
    assert note.endswith("would give 2 patients, 4 sequences, 8 frames")
    assert {patient for patient, _, _ in groups(names, rule)} == {"patient1", "patient2"}


def test_altered_copies_of_an_image_are_of_its_patient():
    names = [f"train/P{number}_S1_00{number}_png.rf.{copy * 16}.jpg" for number in (1, 2) for copy in "ab"]
    assert [patient for patient, _, _ in groups(names)] == ["P1", "P1", "P2", "P2"]
    names = [f"train/x{number}_jpg.rf.{copy * 16}.jpg" for number in (1, 2) for copy in "ab"]
    assert groups(names)[0][0] is None
    assert "would give 2 patients, 0 sequences, 4 frames" in group(records(*names), None, HERE)[1][0]
