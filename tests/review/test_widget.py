"""The widget's side of the talk with the viewer, without a browser."""

import errno
import json
import os
from types import SimpleNamespace

import pytest

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom
from helpers.core.watermark import VARIABLE
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.payload import packed
from helpers.review.review_source import open_source
from helpers.review.session import ReviewSession
from helpers.review.verdicts import Verdict, VerdictRecord, VerdictStore
from helpers.review.widget import ReviewWidget
from tests.review.corrections.test_carrying import Carrier
from tests.review.corrections.test_reviewed import drawn, sent_line
from tests.review.test_verdicts import record
from tests.support.review_runs import GRIDDED, NO_TRUTH, SAME, SEVERAL, write_data, write_run


@pytest.fixture
def parts(tmp_path):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    session = ReviewSession(source.cases, VerdictStore(tmp_path / "v"), "ann", source.run, source.prompt)
    return source, session, ReviewedCorrections(source, CorrectionStore(tmp_path / "c"))


def given(source, **change):
    values = json.loads(record(1, GRIDDED).to_line())
    return {**values, "run": source.run, "prompt": source.prompt, **change}


def test_the_viewer_gets_the_stamp_of_any_run_that_it_shows(parts, tmp_path, monkeypatch):
    source, session, corrections = parts
    assert ReviewWidget(source, session, corrections).facts["stamp"] is None
    monkeypatch.setenv(VARIABLE, "synthetic")
    write_run(tmp_path / "demo", seed=3)
    monkeypatch.delenv(VARIABLE)
    for name in ("against", "beside"):
        given = tmp_path / "demo" if name == "against" else [tmp_path / "demo"]
        both = open_source(tmp_path / "run", source.dataset, **{name: given})
        assert ReviewWidget(both, session, corrections).facts["stamp"] == "synthetic"


def test_a_case_is_sent_when_it_is_asked_for(parts):
    source, session, corrections = parts
    answer = ReviewWidget(source, session, corrections).answer({"ticket": 3, "kind": "load", "case_id": GRIDDED})
    assert answer == {"ticket": 3, "payload": source.view(GRIDDED).to_json() | {"corrected": {}, "corrections": []}}


def test_no_pixels_are_in_the_state_that_a_notebook_may_keep(parts):
    source, session, corrections = parts
    widget = ReviewWidget(source, session, corrections)
    before = {name: value for name, value in widget.get_state().items() if name not in ("_esm", "_css")}
    for case_id in (GRIDDED, SAME):
        payload = widget.answer({"ticket": 1, "kind": "load", "case_id": case_id})["payload"]
        pieces = [payload["image"], payload["truth"], payload["predictions"][0]["mask"]]
        assert all(piece and piece not in json.dumps(before) for piece in pieces)
    assert {name: widget.get_state()[name] for name in before} == before
    assert not any(isinstance(value, bytes) for value in before.values()) and "base64" not in json.dumps(before)


def test_a_verdict_is_on_the_disk_before_the_answer(parts):
    source, session, corrections = parts
    asked = {"ticket": 4, "kind": "save", "record": given(source)}
    assert ReviewWidget(source, session, corrections).answer(asked) == {"ticket": 4}
    assert session.store.records()[0].verdict is Verdict.ACCEPT
    again = ReviewSession(source.cases, session.store, "ann", source.run, source.prompt)
    facts = ReviewWidget(source, again, corrections).facts
    assert [VerdictRecord.from_json(one) for one in facts["verdicts"]] == list(session.store.records())


def test_a_page_that_is_loaded_again_gets_the_verdicts_given_since(parts):
    source, session, corrections = parts
    widget = ReviewWidget(source, session, corrections)
    assert widget.get_state()["facts"]["verdicts"] == []
    record = given(source)
    widget.answer({"ticket": 4, "kind": "save", "record": record})
    widget.answer({"ticket": 5, "kind": "save", "record": {**record, "run": "other"}})
    assert [one["id"] for one in widget.get_state()["facts"]["verdicts"]] == [record["id"]]


@pytest.mark.parametrize(
    "change",
    [{"reviewer": "bob"}, {"run": "other"}, {"case_id": "nobody"}, {"verdict": "maybe"}, {"note": "x" * 3000}],
)
def test_a_verdict_that_is_not_ours_is_refused_and_told(parts, change):
    source, session, corrections = parts
    asked = {"ticket": 5, "kind": "save", "record": given(source, **change)}
    answer = ReviewWidget(source, session, corrections).answer(asked)
    assert answer["ticket"] == 5 and answer["error"] and not session.store.records()


def test_a_correction_is_on_the_disk_before_the_answer_and_a_page_that_is_loaded_again_has_it(parts):
    source, session, corrections = parts
    widget, one = ReviewWidget(*parts), drawn(source)
    kept = widget.answer({"ticket": 1, "kind": "correct", "drawn": sent_line(one)})
    assert kept == {"ticket": 1, "waiting": []}
    assert corrections.store.standing() == {"ann": {GRIDDED: one.record}}
    assert [fact["id"] for fact in widget.get_state()["facts"]["corrections"]] == [one.record.id]
    payload = widget.answer({"ticket": 2, "kind": "load", "case_id": GRIDDED})["payload"]
    assert payload["corrected"] == {one.record.id: packed(one.mask)}
    for asked in (sent_line(drawn(source, reviewer="bob")), {**sent_line(one), "mask": "eJw="}, None):
        assert "expected" in widget.answer({"ticket": 3, "kind": "correct", "drawn": asked})["error"]
    assert len(corrections.store.records()) == 1
    # A window that was opened before learns of it with the case, and without it.
    (known,) = payload["corrections"]
    assert known["id"] == one.record.id
    standing = widget.answer({"ticket": 4, "kind": "standing", "case_id": GRIDDED})
    assert standing == {"ticket": 4, "corrections": [known], "corrected": payload["corrected"], "waiting": []}
    assert widget.answer({"ticket": 5, "kind": "standing", "case_id": SAME})["corrections"] == []


@pytest.mark.parametrize(
    "asked", [None, [], {"ticket": 1}, {"kind": "load", "case_id": 3}, {"kind": "load", "case_id": "x"}]
)
def test_nonsense_gets_an_error_for_an_answer(parts, asked):
    assert "expected" in ReviewWidget(*parts).answer(asked)["error"]


def test_a_damaged_file_is_told_and_the_next_case_comes(parts):
    source, session, corrections = parts
    (source.scored_runs[0].run.folder / "logits" / GRIDDED / "p1.npz").write_bytes(b"damaged")
    widget = ReviewWidget(source, session, corrections)
    assert "Predict the case again" in widget.answer({"ticket": 1, "kind": "load", "case_id": GRIDDED})["error"]
    assert "payload" in widget.answer({"ticket": 2, "kind": "load", "case_id": SAME})


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk became full. Free some space, then save again"),
        (errno.EROFS, "cannot be written (Read-only file system). Name another folder, or make this one writable"),
        (errno.EIO, "the disk or network drive failed (Input/output error)"),
    ],
)
def test_a_verdict_that_cannot_be_kept_is_told_and_the_next_one_is_kept(parts, monkeypatch, number, said):
    source, session, corrections = parts
    widget = ReviewWidget(source, session, corrections)

    def fail(handle):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        answer = widget.answer({"ticket": 1, "kind": "save", "record": given(source)})
    assert answer["error"].startswith(said) and not session.verdicts
    again = given(source, id="f" * 32, verdict="reject")
    assert widget.answer({"ticket": 2, "kind": "save", "record": again}) == {"ticket": 2}
    assert session.verdicts[GRIDDED].verdict is Verdict.REJECT


def test_a_case_that_is_drawn_first_has_no_prediction_before_the_reader_kept_a_mask(parts):
    source, *_ = parts
    widget, load = ReviewWidget(*parts, drawn_first=frozenset({GRIDDED})), {"kind": "load", "case_id": GRIDDED}
    assert widget.facts["drawn_first"] == [GRIDDED]
    payload, shown = widget.answer(load)["payload"], source.view(GRIDDED).to_json()
    assert payload["drawn_first"] is True and list(payload["bases"]) == ["empty"]
    (hidden,) = payload["predictions"]
    assert hidden["mask"] is hidden["maps"] is None and "Draw this case from empty first" in hidden["words"]
    assert (
        widget.answer({**load, "case_id": SAME})["payload"]["predictions"] == source.view(SAME).to_json()["predictions"]
    )
    bob = drawn(source, reviewer="bob", began_from=BeganFrom.PREDICTION)
    parts[2].store.save(bob.record, bob.mask)
    for asked in (load, {"kind": "standing", "case_id": GRIDDED}):
        told = widget.answer(asked)
        told = told.get("payload", told)
        assert told["corrections"] == [] and told["corrected"] == {}  # which would tell of the prediction
    widget.answer({"kind": "correct", "drawn": sent_line(drawn(source, prediction_seen=False))})
    assert parts[2].own(GRIDDED, "ann")[0].prediction_seen is False
    payload = widget.answer(load)["payload"]
    assert payload["predictions"] == shown["predictions"] and "drawn_first" not in payload
    assert bob.record.id in payload["corrected"]


def test_a_prediction_is_unseen_as_far_as_the_kernel_knows_and_not_as_a_page_says(parts):
    source, session, corrections = parts
    first = frozenset({GRIDDED, SAME, NO_TRUTH})

    def said(widget, case_id):
        one = drawn(source, case_id, prediction_seen=False, after=corrections.store.records())
        known = [each.id for each in corrections.own(case_id, "ann")]
        answer = widget.answer({"kind": "correct", "drawn": sent_line(one) | {"continues": known}})
        assert "error" not in answer
        return corrections.own(case_id, "ann")[-1].prediction_seen

    plain = ReviewWidget(*parts)
    assert said(plain, SEVERAL) is None  # which this session does not withhold
    plain.answer({"kind": "load", "case_id": SAME})
    session.give(Verdict.FIX, case_id=GRIDDED)
    widget = ReviewWidget(*parts, drawn_first=first | {SEVERAL})
    # Corrected, sent by this kernel, and judged: only the last one was never before the reader.
    assert widget.facts["drawn_first"] == [NO_TRUTH]
    assert "drawn_first" not in widget.answer({"kind": "load", "case_id": GRIDDED})["payload"]
    assert [said(widget, one) for one in (SEVERAL, SAME, GRIDDED)] == [None] * 3
    assert [said(widget, NO_TRUTH) for _ in range(2)] == [False, False]  # both before it is left
    widget.answer({"kind": "load", "case_id": NO_TRUTH})
    assert said(widget, NO_TRUTH) is None
    late = drawn(source, GRIDDED, reviewer="cy", prediction_seen=False)
    assert corrections.hand_in([late]).kept == 1 and corrections.own(GRIDDED, "cy")[0].prediction_seen is None


def test_carrying_tells_the_viewer_how_far_it_is_and_a_carried_mask_is_dismissed(parts, monkeypatch):
    widget, sent = ReviewWidget(*parts, carrier=Carrier()), []
    monkeypatch.setattr(widget, "send", sent.append)
    widget.answer({"ticket": 1, "kind": "correct", "drawn": sent_line(drawn(parts[0]))})
    answer = widget.answer({"ticket": 2, "kind": "carry", "case_id": GRIDDED})
    assert answer["waiting"] == [SAME] and "1 mask carried" in answer["said"]
    assert sent == [{"ticket": 2, "progress": [0, 1]}, {"ticket": 2, "progress": [1, 1]}]
    assert widget.answer({"ticket": 3, "kind": "dismiss", "case_id": SAME}) == {"ticket": 3, "waiting": []}
    assert "expected a carried mask" in widget.answer({"ticket": 4, "kind": "dismiss", "case_id": SAME})["error"]


def test_a_carried_mask_that_is_damaged_leaves_its_case_to_be_seen(parts, monkeypatch, caplog):
    source, *_ = parts
    widget, seen = ReviewWidget(*parts), source.view(GRIDDED).to_json()
    waiting = {GRIDDED: SimpleNamespace(image_sha256=seen["image_sha256"], base=None)}

    def damaged(case_id):
        raise RefusedInput(f"{case_id}.png: damaged")

    monkeypatch.setattr(widget, "_carried", SimpleNamespace(waiting=lambda: waiting, mask=damaged))
    payload = widget.answer({"ticket": 1, "kind": "load", "case_id": GRIDDED})["payload"]
    assert payload["case_id"] == GRIDDED and "carried" not in payload and "damaged" in caplog.text
