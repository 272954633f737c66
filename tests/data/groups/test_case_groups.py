"""The group of each case: by which column or header, and what is refused since it is unclear or names somebody."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.core.errors import UsageProblem
from helpers.data.cases import Case
from helpers.data.dataset import Dataset, open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.groups.case_groups import MOST_GROUPS, GroupSource, case_groups
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.patient_names import KnownName, PatientNames
from tests.support.dicom_files import angiogram, write
from tests.support.vessel_runs import write_data

PATIENTS = ("Zeno Quibblewick", "Anna", "7")  # two files each


@pytest.fixture
def data(tmp_path):
    """Six cases of three patients under pseudonyms; their files do not exist."""
    known = [
        KnownName(f"images/x{place}.png", tmp_path / f"images/x{place}.png", patient, None, f"P00{owner}-F{frame}")
        for owner, patient in enumerate(PATIENTS)
        for frame in range(2)
        for place in [2 * owner + frame]
    ]
    cases = [Case(Frame(one.case_id, one.path, patient=one.case_id[:4])) for one in known]
    people = PatientNames(tuple(known), ids={name: f"P00{owner}" for owner, name in enumerate(PATIENTS)})
    return Dataset(tmp_path, "images", tuple(cases), IdPolicy.PSEUDONYM, "mark", people=people)


def table(folder, *values, title="side", name="t.csv"):
    rows = [f"x{place}.png;{value}" for place, value in enumerate(values)]
    (folder / name).write_text("\n".join([f"File;{title}", *rows]), encoding="utf-8")


def groups(data, column="side"):
    found = case_groups(data, column)
    return found, list(found.by_case.values())


def test_spellings_are_one_group_and_what_is_not_said_is_unknown(data, tmp_path):
    table(tmp_path, "left", "lower \x1b  right", " LEFT", "Unknown", "", title=" Side")
    found, values = groups(data)
    assert values == ["LEFT", "lower ? right", "LEFT", None, None, None]
    assert (found.column, found.source) == ("Side", GroupSource.CSV)
    assert str(found) == "CaseGroups(column='Side', source=<GroupSource.CSV: 'csv'>)"


def test_tables_that_agree_are_one_and_others_are_refused(data, tmp_path):
    table(tmp_path, "left", "left", "right", "left")
    table(tmp_path, "", "", "RIGHT", "", "right", "left", name="u.csv")
    assert groups(data)[1] == ["left", "left", "right", "left", "right", "left"]
    table(tmp_path, "left", "right", "left", name="u.csv")
    said = "several for 2 cases, the first P000-F1, in t.csv, u.csv of .* Correct the tables"
    with pytest.raises(UsageProblem, match=said):
        case_groups(data, "side")
    (tmp_path / "u.csv").write_text("file,side\nx0.png,left\nx0.png,right\nx1.png,left\n")
    with pytest.raises(UsageProblem, match=r"u\.csv: expected one value for each file, found several for 1 file\."):
        case_groups(data, "side")


def test_headers_and_a_column_of_that_name(data, tmp_path):
    for place, angle in enumerate(("-30", "40")):
        made = angiogram(np.zeros((4, 4), np.uint16), PositionerPrimaryAngle=angle, PositionerSecondaryAngle="0")
        write(tmp_path / f"images/x{place}.png", made)
    found, values = groups(data, "View")
    assert values == ["RAO straight", "LAO straight", None, None, None, None]
    assert (found.column, found.source) == ("view", GroupSource.DICOM)
    table(tmp_path, "spider", "spider", "spider", "spider", title="view")
    with pytest.raises(UsageProblem, match=r"t\.csv .* Give column:view for the column or dicom:view for the headers"):
        case_groups(data, "view")
    assert groups(data, "dicom:view")[1] == values
    assert groups(data, "column:view")[1] == ["spider"] * 4 + [None] * 2
    with pytest.raises(UsageProblem, match="expected Manufacturer in some DICOM header, found none for 6 cases"):
        case_groups(data, "vendor")


@pytest.mark.parametrize("column", ["lost", "file", "", "dicom:side", "column:vendor"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(data, tmp_path, column):
    table(tmp_path, "left", "left", "left")
    (tmp_path / "u.csv").write_text("grade\n1\n")
    with pytest.raises(UsageProblem) as caught:
        case_groups(data, column)
    assert str(caught.value).startswith(f"--groups {column}: expected view or vendor of DICOM headers, or a column of")
    assert str(caught.value).endswith("t.csv has 'side'; u.csv names no files")
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    with pytest.raises(UsageProblem, match="No CSV file is there"):
        case_groups(data, column)


NAMES = "expected words that name nobody"


@pytest.mark.parametrize(
    "values, said",
    [
        ([""] * 6, r"expected a cell for some file in that column of .*t\.csv, found none for 6 cases"),
        (["a", "a", "b", "b", "c", ""], "values that several patients share, found values of one patient each"),
        (["x" * 61] * 6, "values of at most 60 letters"),
        (["left", "left", "left", "ANNA"], NAMES),
        (["left", "left", "left", "of zeno  quibblewick"], NAMES),
        (["07"] * 6, NAMES),
        (["x3"] * 6, NAMES),
        (["X3.png"] * 6, NAMES),
        (["1943-12-24"] * 6, NAMES),
        (["12345678"] * 6, NAMES),
        (["Doe^Jane"] * 6, NAMES),
    ],
)
def test_what_is_no_group_is_refused_without_its_value(data, tmp_path, values, said):
    table(tmp_path, *values)
    with pytest.raises(UsageProblem, match=said) as caught:
        case_groups(data, "side")
    shown = str(caught.value).replace(str(tmp_path), "")
    assert not any(value in shown for value in values if len(value) > 1)


def test_names_of_patients_that_nobody_grouped_by_are_refused(data, tmp_path):
    names = ["x0.png", "Berg Eva/x1.png", "x2.png", "x3.png", "lca/x4.png", "x5.png"]
    known = [replace(one, name=name, patient=None) for one, name in zip(data.people.known, names, strict=True)]
    cases = [replace(one, frame=replace(one.frame, patient=None)) for one in data.cases]
    lone = replace(data, cases=tuple(cases), people=PatientNames(tuple(known)))
    table(tmp_path, "p9", "p9", "p8", "p8", title="Subject")
    table(tmp_path, "lca", "lca", "P 8", name="u.csv")
    for column in ("subject", "side"):
        with pytest.raises(UsageProblem, match=NAMES):
            case_groups(lone, column)
    for text, shown in (("Berg  Eva", False), ("of berg eva", False), ("lca", True)):
        table(tmp_path, *["lca"] * 4, text, name="u.csv")
        if shown:
            assert groups(lone)[1] == ["lca"] * 5 + [None]
            continue
        with pytest.raises(UsageProblem, match=NAMES):
            case_groups(lone, "side")


def test_what_may_be_shown_depends_on_the_ids(data, tmp_path):
    table(tmp_path, *["x3"] * 6)
    assert groups(replace(data, ids=IdPolicy.KEEP))[1] == ["x3"] * 6
    table(tmp_path, *["Anna"] * 6)
    with pytest.raises(UsageProblem, match=NAMES):
        case_groups(replace(data, ids=IdPolicy.KEEP), "side")
    assert groups(replace(data, ids=IdPolicy.PUBLIC))[1] == ["Anna"] * 6


def test_more_values_than_groups_are_refused(data, tmp_path):
    cases = [Case(Frame(f"C{place}", tmp_path / f"x{place}.png", patient="P1")) for place in range(MOST_GROUPS + 1)]
    known = tuple(KnownName(one.frame.path.name, one.frame.path, None, None, one.case_id) for one in cases)
    whole = replace(data, cases=tuple(cases), people=PatientNames(known))
    table(tmp_path, *(f"grade {place}" for place in range(MOST_GROUPS)))
    assert len(set(groups(whole)[1])) == MOST_GROUPS + 1  # that of the unknown among them
    table(tmp_path, *(f"grade {place}" for place in range(MOST_GROUPS + 1)))
    with pytest.raises(UsageProblem, match="expected at most 12 different values, found 13. Combine them"):
        case_groups(whole, "side")


def test_an_opened_data_set_knows_its_files(tmp_path):
    write_data(tmp_path / "data", patients=2)
    (tmp_path / "data/dataset.json").unlink()
    (tmp_path / "data/t.csv").write_text("file,side\nP01_S01_001,left\nP01_S01_002,right\nP02_S01_001,left\n")
    data = open_dataset(tmp_path / "data")
    assert data.ids is IdPolicy.PSEUDONYM
    assert sorted(map(str, groups(data)[1])) == ["None", "left", "left", "right"]
