"""Looks at sealed patients: appended, counted by patient, and not lost in silence."""

import json
from pathlib import Path

import helpers.data.splits.looks as module
from helpers.data.splits.looks import Look, LookCount, carry_looks, count_look


def look(mark, *patients, key=None):
    return Look(mark, frozenset(patients), key)


def test_different_looks_are_counted_and_the_same_one_is_not_new(tmp_path):
    assert count_look(tmp_path, look("a", "P1", "P2")) == LookCount(1, again=False, kept=True)
    assert count_look(tmp_path, look("b", "P2", "P3")) == LookCount(2, again=False, kept=True)
    assert count_look(tmp_path, look("a", "P1", "P2")) == LookCount(2, again=True, kept=True)
    assert count_look(tmp_path, look("c", "P3")) == LookCount(2, again=False, kept=True)
    assert count_look(tmp_path, look("d", "P9")).number == 1
    assert count_look(tmp_path, look("e", "P1", key="other")).number == 5, "whose they are is not known"
    assert count_look(tmp_path, look("d", "P9")) == LookCount(2, again=True, kept=True)
    lines = (tmp_path / ".vesselkit" / "looks.jsonl").read_text().splitlines()
    assert [json.loads(line)["fingerprint"] for line in lines] == ["a", "b", "c", "d", "e"]
    assert {**json.loads(lines[0]), "moment": ""} == {
        "schema": "vesselkit.look", "schema_version": 1, "moment": "", "fingerprint": "a", "patients": ["P1", "P2"],
        "key_fingerprint": None,
    }  # fmt: skip


def test_a_line_that_was_cut_counts_and_spoils_no_other(tmp_path):
    count_look(tmp_path, look("a", "P1"))
    path = tmp_path / ".vesselkit" / "looks.jsonl"
    path.write_text(path.read_text()[:-20])
    assert count_look(tmp_path, look("b", "P2")).number == 2
    assert count_look(tmp_path, look("b", "P2")) == LookCount(2, again=True, kept=True)


def test_a_folder_that_cannot_be_written_has_the_count_beside_it_or_says_that_it_is_lost(tmp_path, monkeypatch):
    folder, denied = tmp_path / "set", [tmp_path / "set" / ".vesselkit"]
    folder.mkdir()
    real = module.make_folder

    def make(path):
        if path in denied:
            raise OSError(30, "read-only")
        real(path)

    monkeypatch.setattr(module, "make_folder", make)
    assert count_look(folder, look("a", "P1")) == LookCount(1, again=False, kept=True)
    assert Path(tmp_path / "set.vesselkit-looks.jsonl").is_file() and not any(folder.iterdir())
    denied.append(tmp_path)
    assert count_look(folder, look("b", "P1")) == LookCount(2, again=False, kept=False)
    assert count_look(folder, look("c", "P1")) == LookCount(2, again=False, kept=False)


def test_a_split_of_a_folder_above_has_its_count_there(tmp_path):
    (tmp_path / "part").mkdir()
    rules = {"schema": "vesselkit.dataset", "schema_version": 2, "split": {"parts": {"test": ["P1"]}}}
    (tmp_path / "dataset.json").write_text(json.dumps(rules))
    assert count_look(tmp_path / "part", look("a", "P1")).number == 1
    assert (tmp_path / ".vesselkit" / "looks.jsonl").is_file() and not (tmp_path / "part" / ".vesselkit").exists()


def test_looks_go_with_the_patients_and_tell_of_no_other(tmp_path):
    source = tmp_path / "source" / ".vesselkit" / "looks.jsonl"
    for mark, patients, key in (("a", ["P1", "P2"], None), ("b", ["P3"], None), ("c", ["P8"], "other")):
        count_look(source.parents[1], look(mark, *patients, key=key))
    source.write_text(source.read_text() + "cut\n")
    carry_looks(source.parents[1], tmp_path / "new", {"p1": "P1", "P5": "P5"}, None)
    lines = list(map(json.loads, (tmp_path / "new" / ".vesselkit" / "looks.jsonl").read_text().splitlines()))
    assert [(line["fingerprint"], line["patients"], line["key_fingerprint"]) for line in lines] == [
        ("a", ["p1"], None), ("c", ["P5", "p1"], None), ("line 4", ["P5", "p1"], None)
    ]  # fmt: skip
    assert lines[0]["moment"] == json.loads(source.read_text().splitlines()[0])["moment"]
    carry_looks(tmp_path / "nothing", tmp_path / "bare", {"P1": "P1"}, None)
    assert not (tmp_path / "bare").exists()
