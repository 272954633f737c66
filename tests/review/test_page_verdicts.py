"""Verdicts on the page from the disk: on which run, by keys, kept and taken in again."""

import json

import numpy as np

from helpers.review import page as page_module
from helpers.review.page import write_page
from helpers.review.review_source import open_source
from helpers.review.verdicts import Verdict, read_lines
from tests.review.test_verdicts import record
from tests.support.opened_page import open_page
from tests.support.review_runs import (
    CASES,
    FAILED,
    GRIDDED,
    MARKUP,
    NO_TRUTH,
    SAME,
    SEVERAL,
    predict_again,
    write_data,
    write_run,
)  # fmt: skip


def test_the_other_run_takes_its_place_with_its_threshold(opened, made):
    opened.case(GRIDDED)
    opened.press("b")
    assert np.array_equal(opened.coloured(2), made[0].scored_runs[1].run.mask(GRIDDED, "p1"))
    assert opened.text(".vk-run") == f"other · {MARKUP}" and "threshold 0.350" in opened.text(".vk-hint")


def test_a_verdict_is_on_the_run_that_is_shown_and_blind_on_one_after_the_other(opened, made, tmp_path):
    names, runs = {"run", "other"}, set(made[0].fingerprints)
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape")
    opened.judge("x")
    assert not names & set(opened.text(".vk-run").split()) and opened.text(".vk-run").startswith("A ")
    assert "0.3" not in opened.text(".vk-hint") and opened.page.input_value("[data-control=threshold]") == "0.5"
    opened.judge("a")
    assert opened.text(".vk-run").startswith("B ") and opened.text(".vk-id") == CASES[0]
    assert opened.text(".vk-progress") == "0 of 6 reviewed"
    opened.judge("r")
    opened.wait(lambda: opened.text(".vk-id") == CASES[1])
    assert opened.text(".vk-run").startswith("A ") and opened.text(".vk-progress") == "1 of 6 reviewed"
    opened.judge("z")
    opened.wait(lambda: opened.text(".vk-run").startswith("B "))
    assert opened.text(".vk-id") == CASES[0]
    opened.judge("f")
    with opened.page.expect_download() as waiting:
        opened.page.click("text=Download verdicts")
    waiting.value.save_as(tmp_path / "v.jsonl")
    accepted, rejected, withdrawn, fixed = read_lines(tmp_path / "v.jsonl")
    assert {accepted.run, rejected.run} == runs and rejected.run == withdrawn.run == fixed.run
    assert (accepted.verdict, rejected.verdict, fixed.verdict) == ("accept", "reject", "fix")


def test_which_run_is_a_varies_and_stays(opened, made):
    first, second = (one.run for one in made[0].scored_runs)
    opened.press("x")
    seen = []
    for case_id in [GRIDDED, SAME, SEVERAL, NO_TRUTH] * 2:
        opened.case(case_id)
        shown = opened.coloured(2)
        seen.append(
            (np.array_equal(shown, first.mask(case_id, "p1")), np.array_equal(shown, second.mask(case_id, "p1")))
        )
    assert seen[:4] == seen[4:] and all(any(pair) for pair in seen) and len(set(seen) - {(True, True)}) == 2


def test_verdicts_by_keys_undo_download_and_import(opened, made, tmp_path):
    opened.press("a")
    assert "Enter your name" in opened.text(".vk-card [role=status]")
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape")
    opened.judge("3", "r", "a", "f", "z")
    assert opened.text(".vk-progress") == "2 of 6 reviewed, 1 rejected"
    with opened.page.expect_download() as waiting:
        opened.page.click("text=Download verdicts")
    waiting.value.save_as(tmp_path / "v.jsonl")
    records = read_lines(tmp_path / "v.jsonl")
    assert [one.verdict for one in records] == [Verdict.REJECT, Verdict.ACCEPT, Verdict.FIX, None]
    assert records[0].reasons == ("broken vessel",) and records[0].case_id == CASES[0] and records[0].threshold == 0.5
    assert records[0].run == made[0].run and records[3].withdraws == records[2].id
    opened.page.evaluate("localStorage.clear()")
    opened.page.reload()
    opened.page.fill("[data-control=reviewer]", "ann")
    assert opened.text(".vk-progress").startswith("0 of 6")
    opened.page.set_input_files("[data-control=import]", tmp_path / "v.jsonl")
    opened.wait(lambda: opened.text(".vk-progress").startswith("2 of 6"))
    opened.page.reload()
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape")
    assert opened.text(".vk-progress") == "2 of 6 reviewed, 1 rejected"  # kept by the browser meanwhile
    opened.page.select_option("[data-control=verdictFilter]", "reject")
    assert opened.text(".vk-id") == CASES[0] and "1 / 1" in opened.text("nav")


def test_the_last_case_says_what_is_left(opened):
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape", "End")
    opened.wait(lambda: opened.text(".vk-id") == CASES[-1])
    opened.judge("a")
    opened.wait(lambda: "Cases without a verdict: 5 (u goes" in opened.text(".vk-card [role=status]"))
    opened.judge("u", "a", "a", "a", "a", "a", "r")
    opened.wait(lambda: "Every case of the queue has a verdict" in opened.text(".vk-card [role=status]"))
    assert opened.text(".vk-progress") == "6 of 6 reviewed, 1 rejected"


def test_no_verdict_goes_to_a_case_that_is_not_on_the_screen(made, browser, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_IN_ONE_FILE", 2)
    path = write_page(made[0], tmp_path / "r.html")
    (tmp_path / "r-cases" / f"{CASES.index(SAME)}.html").unlink()
    for one in open_page(browser, path):
        text = one.text
        one.page.fill("[data-control=reviewer]", "ann")
        one.press("Escape")
        one.judge("k")
        assert text("[data-score=dice]") != "–"
        one.press("n", "a")
        assert "the case is still loading" in text(".vk-card [role=status]")
        one.wait(lambda notes=one.notes: "is missing" in notes()[2])
        shown = [text(name) for name in ("[data-score=dice]", "[data-score=centreline]", ".vk-status", ".vk-run")]
        assert shown == ["–"] * 4 and text(".vk-id") == SAME  # nothing of the case before
        one.press("a")
        assert text(".vk-progress").startswith("0 of 6")


def test_lines_that_are_no_records_are_passed_over_and_never_kept(opened, made, tmp_path):
    good = record(1, GRIDDED, run=made[0].run).to_json()
    spoilt = [
        {"reasons": None},
        {"reasons": ["x"]},
        {"verdict": "maybe"},
        {"time": 3},
        {"note": None},
        {"threshold": 2},
    ]
    lines = [good, *({**good, "id": f"{number}", **change} for number, change in enumerate(spoilt))]
    (tmp_path / "v.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.page.set_input_files("[data-control=import]", tmp_path / "v.jsonl")
    opened.wait(lambda: "1 record imported, 6 lines skipped" in opened.text(".vk-card [role=status]"))
    opened.page.reload()
    opened.page.fill("[data-control=reviewer]", "ann")
    assert opened.text(".vk-progress").startswith("1 of 6")


def test_verdicts_in_the_browser_stand_on_the_page_of_a_run_that_was_predicted_again_in_part(browser, tmp_path):
    dataset = write_data(tmp_path / "data")
    path = write_page(open_source(write_run(tmp_path / "run"), dataset), tmp_path / "review.html")
    for one in open_page(browser, path):
        one.page.fill("[data-control=reviewer]", "ann")
        one.press("Escape")
        for case_id in (GRIDDED, FAILED):
            one.case(case_id)
            one.judge("r")
        assert one.text(".vk-progress") == "2 of 6 reviewed, 2 rejected"
        source = open_source(predict_again(tmp_path / "run", FAILED), dataset)
        write_page(source, path)
        one.page.reload()
        one.page.fill("[data-control=reviewer]", "ann")
        one.wait(lambda text=one.text: text(".vk-progress") == "1 of 6 reviewed, 1 rejected")
        with one.page.expect_download() as waiting:
            one.page.click("text=Download verdicts")
        waiting.value.save_as(tmp_path / "v.jsonl")
        (kept,) = read_lines(tmp_path / "v.jsonl")
        assert kept.case_id == GRIDDED and kept.prediction == source.predictions(GRIDDED)[0]
