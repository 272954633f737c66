"""The viewer in the room that it has: panels, one of them alone, and thumbnails."""

import numpy as np
import pytest

from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review.page import write_page
from helpers.review.review_source import open_source
from tests.support.made_viewer import open_tools
from tests.support.opened_page import open_page
from tests.support.review_runs import CASES, FAILED, GRIDDED, SAME, write_data, write_run

LAB = (848, 600)  # what JupyterLab leaves of 1280 x 800 beside its file browser
MANY = 2000

# A viewer in a box of a given size that scrolls, with more below it.
_OPEN = """([count, box, ratio, more]) => {
  const { facts, payload } = made(count, ratio);
  Object.assign(facts, more);
  const outer = document.createElement("div"), root = document.createElement("div");
  const below = document.createElement("p");
  outer.style.cssText = `width: ${box[0]}px; height: ${box[1]}px; overflow: auto`;
  below.style.height = "900px";
  outer.append(root, below);
  document.body.replaceChildren(outer);
  document.body.style.margin = 0;
  globalThis.asked = [];
  const load = async (caseId) => (asked.push(caseId), payload(caseId));
  globalThis.viewer = new kit.Viewer(root, facts, { reviewer: "ann", load, save: async () => {} });
  root.focus();
}"""


@pytest.fixture
def many(browser):
    """`many(count, box, ratio, more)`: a page with a viewer of as many cases; `more` facts replace those made."""
    page = open_tools(browser)

    def show(count=3, box=LAB, ratio=1.0, **more):
        page.evaluate(_OPEN, [count, box, ratio, more])
        page.wait_for_function("() => viewer.data !== null")
        page.wait_for_timeout(100)
        return page

    yield show
    page.close()


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A page of two runs with scores of the first."""
    folder = tmp_path_factory.mktemp("scored")
    data, run = write_data(folder / "data"), write_run(folder / "run")
    evaluate([run], data, folder / "scores", draws=10, processes=1)
    source = open_source(
        run, data, against=write_run(folder / "other", seed=7), metrics=open_metrics(folder / "scores")
    )
    return write_page(source, folder / "review.html")


@pytest.fixture
def shown(scored, browser):
    yield from open_page(browser, scored)


def boxes(page, selector):
    """Left, top, right and bottom of what is on the screen, in order of the page."""
    return page.eval_on_selector_all(
        selector,
        "all => all.map((one) => one.getBoundingClientRect()).filter((box) => box.width)"
        ".map(({ left, top, right, bottom }) => [left, top, right, bottom])",
    )


def tiles(one):
    return one.page.eval_on_selector_all(".vk-tile", "all => all.map((tile) => tile.ariaLabel)")


# -- room --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 2.5, 0.4], ids=["square", "wide", "tall"])
def test_pictures_sliders_and_verdicts_are_on_the_screen_together(many, ratio):
    page = many(ratio=ratio)
    for name, count in (("canvas[data-panel]", 4), (".vk-verdict", 3), ("[data-control=threshold]", 1)):
        found = boxes(page, name)
        assert len(found) == count
        assert all(left >= 0 and top >= 0 and right <= 848 and bottom <= 600 for left, top, right, bottom in found), (
            name
        )
    left, top, right, bottom = boxes(page, "canvas[data-panel='0']")[0]
    assert (right - left) / (bottom - top) == pytest.approx(ratio, rel=0.02)
    assert page.evaluate("() => viewer.root.scrollWidth <= viewer.root.clientWidth")


def test_one_panel_takes_all_the_room_by_key_and_double_click_and_gives_it_back(many):
    page = many()
    before = boxes(page, "canvas[data-panel]")
    page.keyboard.press("Enter")
    ((_, top, _, bottom),) = boxes(page, "canvas[data-panel]")
    assert bottom - top >= 480 and bottom <= 600
    assert len(boxes(page, ".vk-verdict")) == 3 and boxes(page, ".vk-verdict")[0][3] <= 600
    page.keyboard.press("Enter")
    assert boxes(page, "canvas[data-panel]") == before
    page.dblclick("figure:has([data-panel='2'])")
    assert page.is_visible("canvas[data-panel='2']") and len(boxes(page, "canvas[data-panel]")) == 1
    page.keyboard.press("Shift+Digit2")  # another in its place
    assert page.is_visible("canvas[data-panel='1']") and len(boxes(page, "canvas[data-panel]")) == 1
    page.dblclick("figure:has([data-panel='1'])")
    assert boxes(page, "canvas[data-panel]") == before


def test_panels_go_and_come_by_keys_and_buttons_and_one_stays(many):
    page = many()
    page.keyboard.press("Shift+Digit1")
    page.click("button[aria-label='Ground truth, on or off']")
    assert [page.is_visible(f"canvas[data-panel='{place}']") for place in range(4)] == [False, False, True, True]
    two = boxes(page, "canvas[data-panel]")[0]
    page.keyboard.press("Shift+Digit3")
    page.keyboard.press("Shift+Digit4")  # the last
    alone = boxes(page, "canvas[data-panel]")
    assert len(alone) == 1 and alone[0][2] - alone[0][0] > two[2] - two[0]
    assert "One panel stays on" in page.inner_text(".vk-card [role=status]")
    pressed = page.eval_on_selector_all(".vk-switch:not([hidden])", "all => all.map((one) => one.ariaPressed)")
    assert pressed == ["false", "false", "false", "true"]


def test_it_follows_its_room(many):
    page = many()
    small = boxes(page, "canvas[data-panel='0']")[0]
    page.evaluate(
        "() => { document.body.firstChild.style.width = '1300px'; document.body.firstChild.style.height = '900px'; }"
    )
    page.wait_for_function("() => viewer.root.offsetHeight === 900")
    large = boxes(page, "canvas[data-panel='0']")[0]
    assert large[2] - large[0] > 1.3 * (small[2] - small[0])
    page.evaluate("() => { document.body.firstChild.style.width = '420px'; }")
    page.wait_for_function("() => viewer.root.classList.contains('vk-stacked')")
    assert all(right <= 420 for _, _, right, _ in boxes(page, ".vk-verdict, canvas[data-panel]"))


def test_a_key_brings_the_viewer_into_sight(many):
    page = many()
    page.evaluate("() => { document.body.firstChild.scrollTop = 300; }")
    page.keyboard.press("o")
    assert page.evaluate("() => document.body.firstChild.scrollTop") == 0


def test_nobody_who_hides_the_truth_is_told_of_it(shown):
    shown.page.select_option("[data-control=sort]", label="by case id")
    shown.case(GRIDDED)
    assert shown.text("[data-score=dice]") != "–"
    shown.press("Shift+Digit2", "Shift+Digit4")
    assert shown.text("[data-score=dice]") == shown.text("[data-score=centreline]") == "–"
    shown.page.hover("canvas[data-panel='2']")
    assert "probability" in shown.text(".vk-pixel") and "truth" not in shown.text(".vk-pixel")
    shown.case(SAME)
    assert not shown.page.is_visible("text=identical to the ground truth")
    shown.press("G")
    assert not any("Dice" in label for label in tiles(shown))


# -- thumbnails --------------------------------------------------------------------------------------------------------


def test_thumbnails_stand_in_the_order_of_the_queue_with_scores_and_verdicts(shown):
    shown.page.fill("[data-control=reviewer]", "ann")
    shown.press("Escape", "Home")
    shown.judge("r")
    worst = shown.text(".vk-id")
    shown.press("G")
    found = tiles(shown)
    assert len(found) == len(CASES) and "reject" in found[0] and "no_seg" in " ".join(found)
    scores = [float(label.split("Dice ")[1][:5]) for label in found if "Dice" in label]
    assert len(scores) >= 4 and scores == sorted(scores)
    shown.page.select_option("[data-control=verdictFilter]", "none")
    assert len(tiles(shown)) == len(CASES) - 1 and worst in tiles(shown)[0]
    shown.press("Escape", "End", "Enter")
    shown.wait(lambda: shown.page.evaluate("document.body.dataset.drawn") == shown.text(".vk-id"))
    assert not shown.page.is_visible(".vk-thumbs") and shown.text(".vk-id") == found[-1].split(",")[0]


def test_a_click_opens_a_case_and_none_is_judged_as_a_thumbnail(shown):
    shown.page.fill("[data-control=reviewer]", "ann")
    shown.press("Escape", "G", "a")
    assert "Not saved" in shown.text(".vk-card [role=status]") and shown.text(".vk-progress").startswith("0 of 6")
    shown.page.click(f".vk-tile[title={FAILED}]")
    shown.wait(lambda: shown.page.evaluate("document.body.dataset.drawn") == FAILED)
    shown.judge("a")
    assert shown.text(".vk-progress").startswith("1 of 6")


def test_heading_and_tools_have_their_words_in_sight_beside_the_file_browser_of_jupyterlab(many):
    """No word of it ends in dots, and the reasons of a verdict are whole words too."""
    reasons = ["missed branch", "broken vessel", "false vessel", "catheter", "wrong ground truth", "image quality"]
    page = many(stamp="synthetic, tiny model", title="training list unknown", reasons=reasons)
    page.keyboard.press("r")
    page.wait_for_function("() => viewer.records.length === 1")
    page.keyboard.press("p")
    page.wait_for_function("() => document.querySelector('.vk-chip.vk-reject').offsetWidth > 0")
    assert page.inner_text(".vk-progress") == "ann: 1 of 3 reviewed, 1 rejected"
    right = boxes(page, ".vesselkit-review")[0][2]
    assert all(box[2] <= right for box in boxes(page, "header *, .vk-card *"))
    assert len({box[1] for box in boxes(page, ".vk-tools button")}) == 1  # in one line
    cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).display !== 'inline')"
    assert page.eval_on_selector_all("header *, .vk-card :not(input)", f"{cut}.map((one) => one.textContent)") == []
    page.click(".vk-language")
    assert page.inner_text(".vk-chip.vk-reject") == "拒绝" and page.inner_text(".vk-standing") == "训练清单未知"
    assert page.eval_on_selector_all("header *, .vk-card :not(input)", f"{cut}.map((one) => one.textContent)") == []
    assert len({box[1] for box in boxes(page, ".vk-tools button")}) == 1


def test_who_and_how_far_stay_in_sight_whatever_else_is_long(many):
    page = many(
        3,
        (660, 600),
        stamp="s" * 200,
        title="3 patients, 1 of them TRAINING patients",
        runs=[{"run": "r", "name": "n" * 200, "threshold": 0.5, "prompt_text": "p" * 300}],
    )
    right = boxes(page, ".vesselkit-review")[0][2]
    for name in (".vk-id", ".vk-progress", ".vk-language", ".vk-standing"):
        (box,) = boxes(page, name)
        assert box[2] <= right, name
        assert page.eval_on_selector(name, "one => one.scrollWidth <= one.clientWidth || one.clientWidth === 0"), name


def test_no_thumbnail_holds_ground_truth_and_blind_ones_hold_no_mask_and_no_score(shown):
    shown.press("G")

    def coloured():
        shown.page.wait_for_function(
            "(count) => document.querySelectorAll('.vk-tile[data-made]').length === count", arg=len(CASES)
        )
        found = shown.page.eval_on_selector_all(
            ".vk-tile canvas",
            "all => all.map((one) => Array.from(one.getContext('2d').getImageData(0, 0, 120, 120).data))",
        )
        pixels = np.array(found, int).reshape(len(CASES), -1, 4)[:, :, :3]
        red, green, blue = np.moveaxis(pixels, 2, 0)
        return (red - green > 12).any(), (green - red > 12).any(axis=1).sum()

    assert coloured() == (False, 4)  # the four with a mask, in the prediction's green
    shown.press("Escape")
    shown.judge("x")
    shown.press("G")
    assert coloured() == (False, 0)
    assert not any("Dice" in label for label in tiles(shown))


def test_thumbnails_of_many_cases_are_drawn_where_they_are_in_sight(many):
    page = many(MANY)
    started = page.evaluate("() => performance.now()")
    page.keyboard.press("G")
    page.wait_for_function("() => document.querySelectorAll('.vk-tile[data-made]').length > 3")
    page.evaluate("() => { asked.length = 0; document.querySelector('.vk-thumbs').scrollTop = 1e9; }")
    page.wait_for_selector(f".vk-tile[title=c{MANY - 1}][data-made]")
    assert page.evaluate("() => performance.now()") - started < 5000
    assert page.locator(".vk-tile").count() < 60 and page.evaluate("() => asked.length") < 60
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    columns = page.evaluate("() => viewer.thumbnails.columns")
    assert (
        page.inner_text(".vk-id") == f"c{columns + 1}"
        and page.evaluate("() => document.activeElement.title") == f"c{columns + 1}"
    )
    page.keyboard.press("Enter")
    page.wait_for_function("(id) => viewer.data?.case_id === id", arg=f"c{columns + 1}")
