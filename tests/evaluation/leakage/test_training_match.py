"""Training images known by name, held against the patients of a data set: plain names and hashed ones alike."""

from dataclasses import replace

import pytest

from helpers.evaluation.leakage.name_marks import hashed, marks_of, plain
from helpers.evaluation.leakage.training_match import Group, Matcher, group_of, group_of_case, told_by
from tests.support.named_data import named_dataset

MARKS = [pytest.param(plain, id="plain"), pytest.param(hashed(b"k" * 32), id="hashed")]


def patients(*names):
    return {Group("patient", name) for name in names}


def find(dataset, names, mark=plain):
    """Plain names are read by the data set's rule, hashed ones are not; parts of hashed ones are kept together."""
    told = told_by(dataset.people, names) if mark is plain else None
    return Matcher(dataset.people, mark).find([marks_of(name, mark) for name in names], told)


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("scored", "rule", "trained", "seen"),
    [
        (["P1_S1_001.png", "P2_S1_001.png"], None, ["P1_S1_002.png"], {"p1"}),
        (["P1_S1_001.png", "P2_S1_001.png"], None, ["train/P01_S2_7.jpg", "p3_S1_001.png"], {"p1", "p3"}),
        (["P1/S1/1.png", "P2/S1/1.png"], None, ["/mnt/P2/S4/images/9.png"], {"p2"}),
        (["images/pat7_2_3.png", "images/pat8_1_1.png"], r"(?P<patient>pat\d+)_", ["pat8_5_6.png"], {"pat8"}),
        (["pat7_2_3.png", "pat8_1_1.png"], r"pat(?P<patient>\d+)_", ["pat008_5_6.png", "pat9_7_7.png"], {"8", "9"}),
        (["Doe_1.png", "Roe_2.png"], r"(?P<patient>[^_]+)_", ["roe_77.png", "Poe_1.png"], {"roe", "poe"}),
        (["1-P1.png", "2-P2.png"], r"-(?P<patient>P\d+)", ["33-P2.png"], {"p2"}),
    ],
)
def test_other_frames_of_a_patient_mark_the_patient(mark, scored, rule, trained, seen):
    found = find(named_dataset(*scored, rule=rule), trained, mark)
    known = {group_of(one.patient, None) for one in named_dataset(*scored, rule=rule).people.known}
    assert (
        found.groups & known == patients(*seen) & known
    )  # a hash of a stranger says nothing but that it is none of us
    assert found.untold == 0 and not found.files and found.names == len(trained)


@pytest.mark.parametrize("mark", MARKS)
def test_the_very_frames_are_found_too(mark):
    found = find(named_dataset("P1_1.png", "P2_1.png"), ["x/P1_1.jpg"], mark)
    assert found.files == {"P1_1"} and found.groups == patients("p1") and not found.untold


@pytest.mark.parametrize("mark", MARKS)
def test_a_name_of_another_kind_is_not_understood(mark):
    dataset = named_dataset("P1_S1_001.png", "P2_S1_001.png")
    found = find(dataset, ["img_00012.png", "00012_3.png", "a.png"], mark)
    assert found.untold == 3 and not found.groups
    flat = find(dataset, ["P2/S3/004.png", "P2_004.png"], mark)
    assert flat.groups == patients("p2") and flat.untold == 0  # of another shape, and yet told by the patient's number


def test_a_frame_number_is_no_patient():
    dataset = named_dataset("1_001.png", "2_001.png", rule=r"^(?P<patient>\d+)_")
    for mark in (plain, hashed(b"k" * 32)):
        found = find(dataset, ["7_001.png", "8_002.png"], mark)
        assert not found.groups & patients("1", "2") and not found.untold


@pytest.mark.parametrize("mark", MARKS)
def test_names_in_equal_words_are_told_by_their_form(mark):
    """Where all patients are called alike but for a number, what is called otherwise is not understood."""
    found = find(named_dataset("P1_1.png", "P2_1.png", "P3_1.png"), ["X1_1.png"], mark)
    assert found.untold == 1


def test_a_rule_of_the_user_reads_two_sites():
    dataset = named_dataset("B1_1.png", "B2_1.png", rule=r"^(?P<patient>[AB]\d+)_")
    found = find(dataset, ["A1_1.png", "B2_5.png"])
    assert found.untold == 0 and found.groups == patients("a1", "b2")
    assert find(dataset, ["A1_1.png"], hashed(b"k" * 32)).untold == 1  # which no hash can tell


@pytest.mark.parametrize("mark", MARKS)
def test_groups_that_no_name_states_are_told_by_the_files_alone(mark, tmp_path):
    (tmp_path / "groups.csv").write_text("file,who\na.png,Doe\nb.png,Roe\nc.png, doe\nd.png,Poe\n")
    dataset = named_dataset("a.png", "b.png", rule="column:who", root=tmp_path)
    found = find(dataset, ["c.png", "d.jpg"], mark)  # rows of the table that are not in the data set
    assert found.groups == patients("doe", "poe") and found.untold == 0
    assert find(dataset, ["e.png"], mark).untold == 1


@pytest.mark.parametrize("mark", MARKS)
def test_patients_of_headers_are_told_by_the_files_of_all_splits(mark):
    dataset = named_dataset("a.dcm", "b.dcm", "c.dcm", scored=1, patient="P1", from_header=frozenset({"patient"}))
    found = find(dataset, ["b.dcm"], mark)
    assert found.files == {"b"} and found.groups == patients("p1")
    assert find(dataset, ["z.dcm"], mark).untold == 1


@pytest.mark.parametrize("mark", MARKS)
def test_sequences_of_unknown_patients(mark):
    dataset = named_dataset("041_7.png", "042_7.png", rule=r"^(?P<sequence>\d+)_")
    found = find(dataset, ["041_8.png", "044_1.png"], mark)
    assert Group("sequence", "41") in found.groups and Group("sequence", "42") not in found.groups
    assert group_of_case(dataset.cases[0], dataset.people) == Group("sequence", "41")
    assert group_of(None, None) is None and not group_of(None, "1").is_patient


@pytest.mark.parametrize("mark", MARKS)
def test_equal_stems_are_told_apart_by_their_folder(mark):
    dataset = named_dataset("A/1.png", "B/1.png", "C/2.png")
    found = find(dataset, ["x/A/1.png", "y/Z/1.png"], mark)
    assert found.files == {"A-1.png"} and found.untold == 1
    doubtful = find(named_dataset("P1/1.png", "P2/1.png"), ["1.png"], mark)
    assert doubtful.doubtful == patients("p1", "p2") and not doubtful.files


@pytest.mark.parametrize("mark", MARKS)
def test_all_frames_of_a_file_are_that_file(mark):
    dataset = named_dataset("a.dcm", patient="P1", from_header=frozenset({"patient"}))
    (one,) = dataset.people.known
    frames = tuple(replace(one, name=f"a.dcm#{at}", case_id=f"a-{at}") for at in range(3))
    people = replace(dataset.people, known=frames)
    found = Matcher(people, mark).find([marks_of("a.dcm", mark)])
    assert found.files == {"a-0", "a-1", "a-2"} and not found.doubtful and not found.untold


def test_an_image_that_is_here_and_is_another_one(tmp_path):
    for name, content in (("test/1.png", b"a"), ("train/1.png", b"bb"), ("train/2.png", b"c"), ("test/2.png", b"c")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    dataset = named_dataset("1.png", "2.png", root=tmp_path / "test")
    for mark in (plain, hashed(b"k" * 32)):
        names = [marks_of(name, mark, tmp_path / "train" / name) for name in ("1.png", "2.png")]
        found = Matcher(dataset.people, mark).find(names)
        assert found.files == {"2"} and found.untold == 1


def test_composed_and_decomposed_names_are_one_file():
    assert find(named_dataset("Ju\u0308rgen.png"), ["x/Jürgen.png"]).files == {"Ju-rgen"}


def test_a_random_split_by_frames_marks_every_patient():
    scored = [f"P{patient:02d}_S01_{frame:03d}.png" for patient in range(1, 13) for frame in (3, 17)]
    trained = [f"P{patient:02d}_S01_{frame:03d}.png" for patient in range(1, 13) for frame in range(20, 40)]
    for mark in (plain, hashed(b"k" * 32)):
        assert find(named_dataset(*scored), trained, mark).groups == patients(
            *(f"p{number}" for number in range(1, 13))
        )


def test_a_name_without_a_folder_is_doubtful_where_others_have_several():
    """Of two folders none is that of the scored frame; the third name may be of any."""
    found = find(named_dataset("a/1.png"), ["b/1.png", "c/1.png", "1.png"])
    assert not found.files and found.names == 3
    one = find(named_dataset("a/1.png"), ["b/1.png", "1.png"])
    assert len(one.files) == 1


@pytest.mark.parametrize("mark", MARKS)
def test_frames_that_are_numbered_alike_are_those_of_their_patients(mark):
    """In every patient's folder lies an S1/1.png: whose it is says the name, as long as no file says more."""
    strangers = find(named_dataset("P1/S1/1.png", "P1/S1/2.png"), ["P2/S1/1.png", "P2/S1/2.png", "x/P3/S1/2.png"], mark)
    assert not strangers.files and not strangers.groups & patients("p1") and not strangers.untold
    one = find(named_dataset("P1/S1/7.png", "P2/S1/7.png"), ["x/P2/S1/7.png"], mark)
    assert one.groups == patients("p2") and len(one.files) == 1 and not one.untold
    flat = find(named_dataset("P1/S1/7.png", "P2/S1/8.png"), ["7.png"], mark)
    assert flat.groups == patients("p1") and len(flat.files) == 1


def test_the_bytes_of_a_file_say_more_than_the_patient_in_its_name(tmp_path):
    """The very image under another patient's name is training data all the same."""
    for patient in ("P1", "P2"):
        (tmp_path / patient / "S1").mkdir(parents=True)
        (tmp_path / patient / "S1/7.png").write_bytes(b"the same image")
    dataset = named_dataset("P1/S1/7.png", "P1/S1/8.png", root=tmp_path)
    mark = marks_of("P2/S1/7.png", plain, tmp_path / "P2/S1/7.png")
    found = Matcher(dataset.people, plain).find([mark], told_by(dataset.people, ["P2/S1/7.png"]))
    assert found.groups == patients("p1", "p2") and len(found.files) == 1


def test_a_sequence_in_a_name_means_the_patient_that_a_header_gave_it():
    dataset = named_dataset("S1_1.dcm", "S1_2.dcm", rule=r"^(?P<sequence>S\d+)_", patient="P1")
    assert find(dataset, ["S1_9.dcm"]).groups == patients("p1") and find(dataset, ["S1_9.dcm"]).untold == 0
    other = find(dataset, ["S2_9.dcm"])  # of a patient that nobody knows, as patients are known here
    assert not other.groups and other.untold == 1


@pytest.mark.parametrize("mark", MARKS)
def test_one_patient_is_told_by_its_form_as_several_are(mark):
    assert find(named_dataset("P1_1.png"), ["X1_1.png"], mark).untold == 1
    assert find(named_dataset("P1_1.png"), ["P2_1.png"], mark).untold == 0
