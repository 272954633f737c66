"""The page from the disk: what it shows, what keys and sliders do, that it asks the network for nothing."""

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.errors import RefusedInput, UsageProblem
from helpers.review import page as page_module
from helpers.review.coding import coded_map
from helpers.review.facts import review_facts
from helpers.review.page import write_page
from helpers.review.source import open_source
from helpers.review.store import read_lines
from helpers.review.verdicts import Verdict
from helpers.runs.masks import Combine
from helpers.stamp import VARIABLE
from tests.review.controls import TELL_WHAT_IS_DRAWN, try_all
from tests.review.runs import (
    BROKEN,
    CASES,
    FAILED,
    GRIDDED,
    HEIGHT,
    MARKUP,
    NO_TRUTH,
    SAME,
    SEVERAL,
    WIDTH,
    write_data,
    write_run,
)
from tests.review.test_verdicts import record


@dataclass
class Opened:
    """A page, and what it did."""

    page: Any
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def judge(self, *keys):
        """Press keys as a reviewer does, who looks at a case before saying what to do with it."""
        for key in keys:
            self.press(key)
            self.wait(lambda: self.page.evaluate("document.body.dataset.drawn") == self.text(".vk-id"))

    def settle(self):
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def move(self, name, value):
        self.page.eval_on_selector(
            f"[data-control={name}]",
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
            str(value),
        )
        self.settle()

    def case(self, case_id):
        self.move("case", CASES.index(case_id) + 1)
        self.wait(lambda: self.text(".vk-id") == case_id)

    def wait(self, reached):
        """Until a state is reached, for what a page loads or decodes by itself."""
        end = time.monotonic() + 10
        while not reached():
            assert time.monotonic() < end, "the page did not get there"
            self.page.wait_for_timeout(30)
        self.settle()

    def text(self, selector):
        return self.page.inner_text(selector)

    def notes(self):
        return self.page.eval_on_selector_all(
            ".vk-note", "found => found.map((one) => one.hidden ? '' : one.textContent)"
        )

    def frame(self, panel):
        """The frame's pixels in a panel at one to one, uint8 (H, W, 3)."""
        self.press("0", "1")
        pixels = self.page.eval_on_selector(
            f"canvas[data-panel='{panel}']",
            """(canvas, [width, height]) => {
                const left = Math.round(canvas.width / 2 - width / 2), top = Math.round(canvas.height / 2 - height / 2);
                const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, -left, -top);
                return Array.from(copy.getImageData(0, 0, width, height).data);
            }""",
            [WIDTH, HEIGHT],
        )
        return np.array(pixels, np.uint8).reshape(HEIGHT, WIDTH, 4)[:, :, :3]

    def coloured(self, panel):
        """Pixels of a panel that are not grey, bool (H, W)."""
        frame = self.frame(panel)
        return (frame != frame[:, :, :1]).any(axis=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    data = write_data(folder / "data")
    source = open_source(write_run(folder / "run"), data, against=write_run(folder / "other", seed=7, threshold=0.35))
    return source, write_page(source, folder / "review.html")


@pytest.fixture
def opened(made, browser):
    yield from open_page(browser, made[1])


def open_page(browser, path):
    context = browser.new_context(viewport={"width": 1500, "height": 950}, accept_downloads=True)
    page, address = context.new_page(), Path(path).resolve().as_uri()
    found = Opened(page)
    page.add_init_script(TELL_WHAT_IS_DRAWN)
    page.on("console", lambda said: found.console.append(said.text))
    page.on("pageerror", lambda error: found.console.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(address)
    page.wait_for_selector(".vk-id")
    page.wait_for_timeout(200)
    yield found
    context.close()
    assert found.console == []
    own = address.rsplit("/", 1)[0]
    assert [url for url in found.asked if not url.startswith(("data:", "blob:", own))] == []


def test_the_threshold_moves_the_mask_and_its_scores(opened, made):
    source, _ = made
    opened.case(GRIDDED)
    run = source.subjects[0].run
    coded = coded_map(run.logits(GRIDDED, "p1"), Combine.UNION, [None])
    truth = source.view(GRIDDED).truth.mask
    assert np.array_equal(opened.coloured(2), run.mask(GRIDDED, "p1"))
    seen = set()
    for threshold in (0.05, 0.3, 0.9):
        opened.move("threshold", threshold)
        mask = coded.mask(threshold)
        assert np.array_equal(opened.coloured(2), mask) and np.array_equal(opened.coloured(3), mask | truth)
        dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert opened.text("[data-score=dice]") == f"{dice:.3f}"
        assert opened.text("[data-score=recall]") == f"{(mask & truth).sum() / truth.sum():.3f}"
        seen.add(opened.text("[data-score=precision]"))
        assert "not the run's mask" in opened.text(".vk-hint")
    assert len(seen) == 3
    opened.press("t")
    assert np.array_equal(opened.coloured(2), run.mask(GRIDDED, "p1"))


def test_panels_keep_to_their_colours(opened, made):
    opened.case(GRIDDED)
    view = made[0].view(GRIDDED)
    truth, mask = view.truth.mask, view.predictions[0].mask.mask
    opened.move("opacity", 1)
    original, truths, predictions, overlay = (opened.frame(panel) for panel in range(4))
    assert np.array_equal(original[:, :, 0], np.asarray(view.image.convert("L")))
    assert (truths[truth] == (255, 0, 0)).all() and (predictions[mask] == (0, 217, 0)).all()
    assert (overlay[truth & mask] == (240, 227, 66)).all()
    assert (overlay[truth & ~mask] == (214, 94, 0)).all() and (overlay[mask & ~truth] == (87, 181, 232)).all()
    opened.press("v")
    assert (opened.frame(3)[truth & ~mask] == (255, 0, 0)).all()
    opened.press("m")
    assert (opened.frame(3)[~(truth | mask)] == 0).all()


def test_the_arrows_come_back_to_the_runs_own_threshold(opened):
    opened.press("b")
    for key, own in (("ArrowUp", False), ("ArrowDown", True), ("ArrowDown", False), ("ArrowUp", True)):
        opened.press(key)  # 70 steps of 0.005 are not 0.35 in floating point
        assert opened.text(".vk-hint").startswith("the run's own mask") is own


def test_display_keys(opened, made):
    opened.case(GRIDDED)
    view = made[0].view(GRIDDED)
    grey = np.asarray(view.image.convert("L")).astype(int)
    opened.press("i")
    assert np.array_equal(opened.frame(0)[:, :, 0], 255 - grey)
    opened.press("i")
    opened.move("window", 100)
    opened.move("level", 120)
    assert np.array_equal(opened.frame(0)[:, :, 0], np.floor(np.clip((grey - 70) / 100, 0, 1) * 255 + 0.5))
    opened.press("q", "c")
    outline = opened.coloured(1)
    assert outline.any() and not (outline & view.truth.mask).any()
    opened.press("c")
    opened.page.keyboard.down(" ")
    opened.settle()
    hidden = [opened.coloured(panel).any() for panel in range(4)]
    opened.page.keyboard.up(" ")
    opened.settle()
    assert hidden == [False] * 4 and opened.coloured(2).any()


def test_what_is_missing_is_said_and_no_mask_stands_there(opened):
    opened.case(FAILED)
    notes = opened.notes()
    assert "no prediction: no_seg" in notes[2] and notes[0] == notes[1] == notes[3] == ""
    assert opened.coloured(1).any() and not opened.coloured(2).any()
    assert opened.text("[data-score=dice]") == "–"
    opened.case(NO_TRUTH)
    assert opened.notes() == ["", "no ground truth", "", ""] and opened.coloured(2).any()
    opened.case(BROKEN)
    assert opened.notes()[0] == "the frame cannot be read" and "read_error" in opened.notes()[2]
    opened.case(SAME)
    assert "identical to the ground truth" in opened.text(".vk-warning:not([hidden])")


def test_markup_is_text(opened):
    opened.case(FAILED)
    assert MARKUP in opened.notes()[2] and MARKUP in opened.text(".vk-run")
    assert opened.page.locator("img").count() == 0


def test_a_run_of_ones_own_has_no_stamp(opened):
    assert opened.page.locator(".vk-stamp").count() == 1 and not opened.page.is_visible(".vk-stamp")


def test_the_stamp_of_a_demonstration_stands_by_the_title_and_in_every_picture(browser, tmp_path, monkeypatch):
    data = write_data(tmp_path / "data")
    monkeypatch.setenv(VARIABLE, f"synthetic {MARKUP}")
    write_run(tmp_path / "run")
    monkeypatch.delenv(VARIABLE)
    source = open_source(tmp_path / "run", data)
    corner = (
        "(canvas) => Array.from(canvas.getContext('2d').getImageData(0, canvas.height - 18, canvas.width, 18).data)"
    )
    for one in open_page(browser, write_page(source, tmp_path / "review.html")):
        one.case(GRIDDED)
        assert one.text(".vk-stamp") == f"synthetic {MARKUP}" and one.page.locator("img").count() == 0
        title, stamp = (one.page.locator(name).bounding_box() for name in (".vk-id", ".vk-stamp"))
        assert abs(title["y"] + title["height"] / 2 - stamp["y"] - stamp["height"] / 2) < 12
        for panel in range(4):
            canvas = one.page.locator(f"canvas[data-panel='{panel}']")
            pixels = np.array(canvas.evaluate(corner), int).reshape(-1, 4)
            assert (np.abs(pixels[:, :3] - (230, 180, 34)).max(axis=1) < 20).sum() > 20, panel


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A review with a run in its place and two beside it, and the page."""
    folder = tmp_path_factory.mktemp("several")
    data = write_data(folder / "data")
    others = [write_run(folder / name, seed=seed, threshold=0.4) for name, seed in (("track", 5), ("fused", 9))]
    against = write_run(folder / "other", seed=7)
    source = open_source(write_run(folder / "run"), data, against=against, beside=others)
    return source, write_page(source, folder / "review.html")


@pytest.fixture
def beside(several, browser):
    yield from open_page(browser, several[1])


def dice_of(mask, truth):
    return f"{2 * (mask & truth).sum() / (mask.sum() + truth.sum()):.3f}"


def test_runs_beside_have_panels_with_their_masks_and_dice_at_every_threshold(beside, several):
    source, _ = several
    runs = {2: source.subjects[0].run, 4: source.beside[0].run, 5: source.beside[1].run}
    assert beside.page.eval_on_selector_all("figcaption b", "all => all.map((one) => one.textContent)") == [
        "Original", "Ground truth", "Prediction", "Overlay", "track", "fused",
    ]  # fmt: skip
    beside.case(GRIDDED)
    truth = source.view(GRIDDED).truth.mask
    for panel, run in runs.items():
        mask = run.mask(GRIDDED, "p1")
        assert np.array_equal(beside.coloured(panel), mask)  # its own threshold, as it was scored
        assert beside.text(f"[data-dice='{panel}']") == dice_of(mask, truth)
    beside.move("threshold", 0.9)
    for panel, run in runs.items():
        mask = coded_map(run.logits(GRIDDED, "p1"), Combine.UNION, [None]).mask(0.9)
        assert np.array_equal(beside.coloured(panel), mask)
        assert beside.text(f"[data-dice='{panel}']") == dice_of(mask, truth)
    assert len({beside.text(f"[data-dice='{panel}']") for panel in runs}) == 3


def test_runs_beside_play_in_step(beside, several):
    source, _ = several
    first, second = CASES[:2]
    beside.case(first)
    beside.press("y")
    beside.wait(lambda: beside.page.evaluate("document.body.dataset.drawn") == second)
    beside.press("y")
    beside.wait(lambda: beside.page.evaluate("document.body.dataset.drawn") == beside.text(".vk-id"))
    shown = beside.text(".vk-id")
    assert shown in (first, second)
    for panel, subject in ((2, source.subjects[0]), (4, source.beside[0]), (5, source.beside[1])):
        assert np.array_equal(beside.coloured(panel), subject.run.mask(shown, "p1"))


def test_runs_beside_say_what_is_missing_and_leave_the_screen_when_blind(beside):
    beside.case(FAILED)
    assert all("no prediction: no_seg" in beside.notes()[panel] for panel in (2, 4, 5))
    assert [beside.text(f"[data-dice='{panel}']") for panel in (2, 4, 5)] == ["–"] * 3
    beside.case(GRIDDED)
    canvas = beside.page.locator("canvas[data-panel='4']")
    assert canvas.is_visible()
    beside.press("x")
    assert not canvas.is_visible() and "track" not in beside.text(".vesselkit-review")
    beside.press("x")
    assert canvas.is_visible() and beside.coloured(4).any()


def test_the_other_run_takes_its_place_with_its_threshold(opened, made):
    opened.case(GRIDDED)
    opened.press("b")
    assert np.array_equal(opened.coloured(2), made[0].subjects[1].run.mask(GRIDDED, "p1"))
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
    first, second = (one.run for one in made[0].subjects)
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
    assert "name first" in opened.text(".vk-card [role=status]")
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
    opened.wait(lambda: "5 before it have no verdict (u goes" in opened.text(".vk-card [role=status]"))
    opened.judge("u", "a", "a", "a", "a", "a", "r")
    opened.wait(lambda: "Every case of the queue has a verdict" in opened.text(".vk-card [role=status]"))


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
        assert "not on the screen yet" in text(".vk-card [role=status]")
        one.wait(lambda notes=one.notes: "is missing" in notes()[2])
        shown = [text(name) for name in ("[data-score=dice]", "[data-score=centreline]", ".vk-chip", ".vk-run")]
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
    opened.wait(lambda: "1 records taken over, 6 lines passed over" in opened.text(".vk-card [role=status]"))
    opened.page.reload()
    opened.page.fill("[data-control=reviewer]", "ann")
    assert opened.text(".vk-progress").startswith("1 of 6")


def test_keys_leave_text_fields_alone_and_the_list_names_them_all(opened):
    opened.press("e")
    opened.page.keyboard.type("a rare ?")
    assert opened.page.input_value("[data-control=note]") == "a rare ?" and opened.text(".vk-id") == CASES[0]
    opened.press("Escape", "?")
    listed = opened.text(".vk-help")
    for words in ("accept", "threshold up, down", "hold: hide all colours", "next case without a verdict"):
        assert words in listed
    opened.press("?", "End")
    assert not opened.page.is_visible(".vk-help")
    opened.wait(lambda: opened.text(".vk-id") == CASES[-1])
    opened.press("ArrowLeft", "n", "p", ".")
    assert opened.text(".vk-id") == CASES[-2]


@pytest.mark.slow
def test_every_key_and_slider_does_something(opened):
    opened.page.fill("[data-control=reviewer]", "ann")
    try_all(opened.page)


def test_zoom_and_pan_are_the_same_in_all_panels(opened):
    opened.case(GRIDDED)
    box = opened.page.locator("canvas[data-panel='1']").bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.page.mouse.wheel(0, -600)
    opened.settle()
    assert re.search(
        r"x 4[78]\s+y (39|40)\s+grey \d+\s+probability 0\.\d{3}\s+background in the truth", opened.text(".vk-pixel")
    )
    first, second = (
        opened.page.eval_on_selector(
            f"canvas[data-panel='{panel}']", "c => Array.from(c.getContext('2d').getImageData(5, 5, 60, 60).data)"
        )
        for panel in (0, 2)
    )
    grey = np.array(first).reshape(-1, 4)[:, 0]
    same = grey == np.array(second).reshape(-1, 4)[:, 0]
    assert len(np.unique(grey)) < 60 and same.mean() > 0.5


def test_every_control_has_a_name_and_takes_the_keyboard(opened):
    nameless = opened.page.eval_on_selector_all(
        "button, select, input, progress, canvas",
        "found => found.filter((one) => !(one.ariaLabel || one.textContent.trim()"
        " || one.labels?.[0]?.textContent.trim())).map((one) => one.outerHTML)",
    )
    assert nameless == []
    assert opened.page.eval_on_selector_all("button, select, input", "f => f.every((one) => one.tabIndex === 0)")


def test_many_cases_lie_in_a_folder_beside_the_page(made, browser, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_IN_ONE_FILE", 2)
    path = write_page(made[0], tmp_path / "r.html")
    assert len(list((tmp_path / "r-cases").iterdir())) == len(CASES)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["r-cases", "r.html"]
    for one in open_page(browser, path):
        one.case(SAME)
        assert one.coloured(2).any()
    (tmp_path / "r-cases" / f"{CASES.index(NO_TRUTH)}.html").unlink()
    page = browser.new_page()
    page.goto(path.as_uri())
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("text=is missing. Copy it back")
    page.close()
    write_page(made[0], tmp_path / "r.html", case_ids=[SAME])
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.html"]


def test_a_folder_of_something_else_is_never_replaced(made, tmp_path):
    notes = tmp_path / "r-cases" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(RefusedInput, match="choose another name for the page"):
        write_page(made[0], tmp_path / "r.html", case_ids=[SAME])
    assert notes.read_text() == "mine" and not (tmp_path / "r.html").exists()


def test_what_cannot_be_written_is_refused_first(made, tmp_path):
    with pytest.raises(UsageProblem, match="ends in .html"):
        write_page(made[0], tmp_path / "r.htm")
    with pytest.raises(UsageProblem, match="got 'nobody'"):
        write_page(made[0], tmp_path / "r.html", case_ids=["nobody"])
    assert not list(tmp_path.iterdir())


def test_no_path_is_in_the_page(made):
    source, path = made
    text = path.read_text(encoding="utf-8")
    assert str(path.parent) not in text and ".png" not in text.replace("image/png", "")
    assert json.dumps(review_facts(source))
