"""How scored patients stand to training: by a list, by names kept on this machine, by what chose parameters."""

import json
from dataclasses import replace

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.ids.id_key import create_key, key_at, machine_key_path
from helpers.evaluation.leakage.kept_names import keep_names, kept_path
from helpers.evaluation.leakage.standing import Source, Standing
from helpers.evaluation.leakage.training_data import TrainingData
from helpers.evaluation.leakage.training_files import TrainingFiles, read_training_files
from helpers.evaluation.leakage.training_list import read_training_list
from tests.support.named_data import named_dataset

NAMES = [f"P{patient}_S1_{frame:03d}.png" for patient in (1, 2, 3) for frame in (1, 2)]
MODEL = {"folder_name": "m", "tensors_sha256": "f" * 64, "files_sha256": "0"}
T, N, U = Standing.TRAINING, Standing.UNSEEN, Standing.UNKNOWN


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def listing(tmp_path, *names):
    (tmp_path / "list.txt").write_text("\n".join(names))
    return tmp_path / "list.txt"


def standings(dataset, tmp_path, *names, model=None):
    """By the patient of each case's name, where all its cases agree."""
    listed = read_training_list(listing(tmp_path, *names), dataset) if names else None
    found = TrainingData(dataset, listed).standings(model, [case.case_id for case in dataset.cases])
    by_patient = {}
    for case_id, one in found.by_case.items():
        by_patient.setdefault(case_id.split("_")[0], set()).add(one)
    assert all(len(ones) == 1 for ones in by_patient.values())
    return {name: ones.pop() for name, ones in by_patient.items()}, found


def kept(names, tmp_path, **changes):
    found = read_training_files(listing(tmp_path, *names))
    return keep_names(replace(found, **changes), MODEL["tensors_sha256"], key_at(machine_key_path()))


def test_another_frame_in_the_list_makes_a_training_patient(tmp_path):
    by_patient, found = standings(named_dataset(*NAMES), tmp_path, "P2_S1_077.png", "P9_S1_001.png")
    assert by_patient == {"P1": N, "P2": T, "P3": N} and found.sources == (Source.LIST,) and not found.reasons


def test_a_case_id_names_its_patient_also_of_a_frame_that_is_gone(tmp_path):
    dataset = named_dataset(*NAMES)
    by_patient, _ = standings(dataset, tmp_path, "P2_S1_001")  # ids are kept names here
    assert by_patient == {"P1": N, "P2": T, "P3": N}
    drawn = replace(dataset, people=replace(dataset.people, ids={"P1": "P007", "P2": "P008", "P3": "P009"}))
    assert standings(drawn, tmp_path, "P009-S04-F123")[0] == {"P1": N, "P2": N, "P3": T}


def test_one_name_that_is_not_understood_leaves_the_others_unknown(tmp_path):
    by_patient, found = standings(named_dataset(*NAMES), tmp_path, "P2_S1_077.png", "00012_3.png")
    assert by_patient == {"P1": U, "P2": T, "P3": U}
    assert [reason.split(":")[0] for reason in found.reasons] == [
        "1 of 2 names of training images are not understood by the grouping of this data set"
    ]


def test_lists_that_are_not_here_or_name_no_image_leave_the_others_unknown(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"image": "P2_S1_077.png"}]))
    (tmp_path / "no_images.json").write_text("[]")
    (tmp_path / "config.py").write_text("data = ['a.json', 'no_images.json', 'lost.json']\n")
    dataset = named_dataset(*NAMES)
    found = TrainingData(dataset, read_training_list(tmp_path / "config.py", dataset)).standings(None, ["P1_S1_001"])
    assert found.by_case == {"P1_S1_001": U} and len(found.reasons) == 2


@pytest.mark.parametrize(
    "text",
    [
        "val = 'val.json'\ntrain = 'train.parquet'\n",
        "val = 'val.json'\n",
        "other = 'other.json'\nmore = 'more.csv'\n",
        "other = 'other.json'\nmore = 'gone.jsonl'\n",
    ],
)
def test_training_data_that_was_not_read_leaves_nobody_unseen(tmp_path, text):
    for name in ("val", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"image": "P9_S1_001.png"}]))
    (tmp_path / "config.py").write_text(text)
    dataset = named_dataset(*NAMES)
    found = TrainingData(dataset, read_training_list(tmp_path / "config.py", dataset)).standings(None, ["P1_S1_001"])
    assert found.by_case == {"P1_S1_001": U} and len(found.reasons) >= 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"image": ["P1_S1_005.png", "P9_S1_001.png"]}]'),
        ("a.json", '{"images": ["P1_S1_005.png"]}'),
        ("a.json", '[{"img_path": "P1_S1_005.png"}]'),
        ("a.jsonl", '{"image": "P9_S1_001.png"}\n\n{"image": "x/P1_S1_005.png"}\n'),
    ],
)
def test_images_are_named_in_several_ways(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (tmp_path / "config.py").write_text(f"data = '{name}'\n")
    dataset = named_dataset(*NAMES)
    for given in (name, "config.py"):
        found = TrainingData(dataset, read_training_list(tmp_path / given, dataset)).standings(None, ["P1_S1_001"])
        assert found.by_case == {"P1_S1_001": T}


def test_a_broken_line_of_json_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"image": "a.png"}\n{')
    with pytest.raises(RefusedInput, match=r"a\.jsonl: expected one JSON value a line"):
        read_training_list(tmp_path / "a.jsonl", named_dataset(*NAMES))


def test_unknown_patients_are_never_unseen(tmp_path):
    dataset = named_dataset("a.png", "b.png")
    listed = read_training_list(listing(tmp_path, "a.png"), dataset)
    found = TrainingData(dataset, listed).standings(None, ["a", "b"])
    assert found.by_case == {"a": T, "b": U} and "--group-by" in found.reasons[-1]


def test_spellings_of_a_patient_are_one(tmp_path):
    by_patient, _ = standings(named_dataset(*NAMES, "p03_S1_001.png"), tmp_path, "P002_S9_001.png", "p03_S9_4.png")
    assert by_patient == {"P1": N, "P2": T, "P3": T, "p03": T}


def test_names_kept_by_a_conversion_are_used_unasked(tmp_path):
    kept(["x/P2_S1_077.png", "x/P3_S1_001.png"], tmp_path)
    dataset = named_dataset(*NAMES)
    by_patient, found = standings(dataset, tmp_path, model=MODEL)
    assert by_patient == {"P1": N, "P2": T, "P3": T} and found.sources == (Source.KEPT,)
    facts = TrainingData(dataset).kept_facts(MODEL, ["P1_S1_001", "P3_S1_001"])
    assert facts["leaked"] == ["P3_S1_001"] and facts["files"][0]["entries"] == 2 and facts["files_absent"] == 0
    assert facts["warnings"][0].startswith("1 of 2 scored cases is training data")
    assert standings(dataset, tmp_path, model={**MODEL, "tensors_sha256": "e" * 64})[1].sources == (Source.UNKNOWN,)


def test_a_list_completes_what_was_kept(tmp_path):
    kept(["x/P2_S1_077.png", "00012_3.png"], tmp_path)
    dataset = named_dataset(*NAMES)
    assert standings(dataset, tmp_path, model=MODEL)[0] == {"P1": U, "P2": T, "P3": U}
    by_patient, found = standings(dataset, tmp_path, "P3_S1_009.png", model=MODEL)
    assert by_patient == {"P1": N, "P2": T, "P3": T} and found.sources == (Source.LIST, Source.KEPT)


def test_kept_names_without_their_key_are_said(tmp_path):
    kept(["x/P2_S1_077.png"], tmp_path)
    fingerprint = json.loads(kept_path(MODEL["tensors_sha256"]).read_text())["key_fingerprint"]
    key = machine_key_path().read_text()
    machine_key_path().unlink()
    dataset = named_dataset(*NAMES, root=tmp_path)
    by_patient, found = standings(dataset, tmp_path, model=MODEL)
    assert set(by_patient.values()) == {U} and found.sources == (Source.UNKNOWN,)
    assert f"were kept under key {fingerprint}, which is not here" in found.reasons[0]
    create_key(machine_key_path())  # another one
    assert standings(dataset, tmp_path, model=MODEL)[1].reasons == found.reasons
    (tmp_path / "id.key").write_text(key)  # the key that the data set is opened under
    assert standings(dataset, tmp_path, model=MODEL)[0] == {"P1": N, "P2": T, "P3": N}


def test_damaged_kept_names_are_said(tmp_path):
    kept_path(MODEL["tensors_sha256"]).parent.mkdir(parents=True)
    kept_path(MODEL["tensors_sha256"]).write_text("{}")
    _, found = standings(named_dataset(*NAMES), tmp_path, model=MODEL)
    assert found.sources == (Source.UNKNOWN,) and "are damaged: convert it again" in found.reasons[0]


def test_what_a_conversion_could_not_read_leaves_the_others_unknown(tmp_path):
    kept(["x/P2_S1_077.png"], tmp_path, absent=2, unread=1, keyless=1)
    by_patient, found = standings(named_dataset(*NAMES), tmp_path, model=MODEL)
    assert by_patient == {"P1": U, "P2": T, "P3": U} and len(found.reasons) == 3
    assert found.reasons[2].startswith("the splits of 1 data set of the training config name patients under a key ")
    assert keep_names(TrainingFiles(()), "0" * 64, b"k" * 32).is_file()
    _, nothing = standings(named_dataset(*NAMES), tmp_path, model={"tensors_sha256": "0" * 64})
    assert set(nothing.by_case.values()) == {U}


def test_parameters_that_were_chosen_on_a_patient_count_as_its_training(tmp_path):
    dataset = named_dataset(*NAMES)
    tuned = {"kind": "vesselness", "tuned_on": {"cases": ["P2_S1_002"], "key_fingerprint": None}}
    by_patient, found = standings(dataset, tmp_path, "P1_S1_055.png", model=tuned)  # the list is not the filter's
    assert by_patient == {"P1": N, "P2": T, "P3": N} and found.sources == (Source.TUNED,)
    tuned["tuned_on"]["cases"].append("P9_S1_002")  # of another split, or of the data set that these were exported from
    assert standings(dataset, tmp_path, model=tuned)[0] == {"P1": N, "P2": T, "P3": N}
    tuned["tuned_on"]["cases"].append("Q")
    by_patient, found = standings(dataset, tmp_path, model=tuned)
    assert by_patient == {"P1": U, "P2": T, "P3": U}
    assert found.reasons[0] == (
        "its parameters were chosen on 3 cases, and the patients of 1 of them are not known here: they may be scored "
        "ones"
    )
    drawn = {"P1": "P007", "P2": "P008", "P3": "P009"}
    keyed = replace(dataset, key_fingerprint="abc", people=replace(dataset.people, ids=drawn))
    under_key = {"kind": "vesselness", "tuned_on": {"cases": ["P008-F001", "P012-S04-F123"], "key_fingerprint": "abc"}}
    assert standings(keyed, tmp_path, model=under_key)[0] == {"P1": N, "P2": T, "P3": N}
    other_key = {"kind": "vesselness", "tuned_on": {"cases": ["P2_S1_002"], "key_fingerprint": "abc"}}
    assert set(standings(dataset, tmp_path, model=other_key)[0].values()) == {U}
    default = {"kind": "vesselness", "tuned_on": None}
    by_patient, found = standings(dataset, tmp_path, model=default)
    assert set(by_patient.values()) == {N} and found.sources == (Source.NOTHING,)


def test_nothing_known_is_unknown(tmp_path):
    for model in (None, {}, {"kind": "imported", "name": "nnunet"}, MODEL):
        by_patient, found = standings(named_dataset(*NAMES), tmp_path, model=model)
        assert set(by_patient.values()) == {U} and found.sources == (Source.UNKNOWN,) and not found.reasons


def test_a_data_set_put_together_in_memory(tmp_path):
    dataset = named_dataset(*NAMES)
    alone = replace(dataset, people=type(dataset.people)())
    listed = read_training_list(listing(tmp_path, "P2_S1_001.png"), alone)
    found = TrainingData(alone, listed).standings(None, [case.case_id for case in alone.cases])
    assert {case_id for case_id, one in found.by_case.items() if one is T} == {"P2_S1_001", "P2_S1_002"}
    assert N not in found.by_case.values()


def with_validation(tmp_path, train, val):
    """A training list out of a config that names validation data too."""
    for role, names in (("train", train), ("val", val)):
        (tmp_path / f"{role}.json").write_text(json.dumps([{"image": name} for name in names]))
    (tmp_path / "config.py").write_text("data = ['train.json', 'val.json']\n")
    return tmp_path / "config.py"


def test_the_cases_of_patients_that_a_checkpoint_may_have_been_chosen_on(tmp_path):
    dataset = named_dataset(*NAMES)
    ids = [case.case_id for case in dataset.cases]
    config = with_validation(tmp_path, ["P1_S1_005.png"], ["P2_S1_005.png"])
    data = TrainingData(dataset, read_training_list(config, dataset))
    assert data.validation_cases(None, ids) == {"P2_S1_001", "P2_S1_002"}
    assert data.validation_cases(None, ids[:3]) == {"P2_S1_001"} and data.list_is_understood
    assert TrainingData(dataset).validation_cases(None, ids) == frozenset()
    assert not TrainingData(dataset).list_is_understood
    tuned = {"kind": "vesselness", "tuned_on": None}
    assert data.validation_cases(tuned, ids) == frozenset()


def test_facts_of_kept_names_tell_training_from_validation(tmp_path):
    config = with_validation(tmp_path, ["a/P1_S1_001.png"], ["a/P2_S1_001.png", "a/P1_S1_001.png"])
    keep_names(read_training_files(config), MODEL["tensors_sha256"], key_at(machine_key_path()))
    dataset = named_dataset(*NAMES)
    data = TrainingData(dataset)
    facts = data.kept_facts(MODEL, ["P1_S1_001", "P2_S1_001", "P3_S1_001"])
    assert (facts["leaked"], facts["validated"], facts["doubtful"]) == (["P1_S1_001"], ["P2_S1_001"], [])
    assert [one["matched"] for one in facts["files"]] == [None, None] and facts["files_absent"] == 0
    assert [text.partition(" cases is ")[0] for text in facts["warnings"]] == ["1 of 3 scored", "1 of 3 scored"]
    assert "validation data of the training config" in facts["warnings"][1]
    assert data.kept_facts(MODEL, ["P3_S1_001"])["warnings"] == []
    assert data.kept_facts({"tensors_sha256": "e" * 64}, ["P1_S1_001"]) is None and data.kept_facts(None, []) is None


def test_what_is_shown_names_nobody(tmp_path):
    dataset = named_dataset("Meier/1.png", rule="(?P<patient>[^/]+)/")
    listed = read_training_list(listing(tmp_path, "Meier/1.png"), dataset)
    assert "Meier" not in repr(TrainingData(dataset, listed))
    assert "Meier" not in repr(TrainingData(dataset, listed).standings(None, ["Meier-1"]))
