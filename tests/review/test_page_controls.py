"""Keys and sliders of the page from the disk."""

import re

import numpy as np
import pytest

from tests.support.review_runs import CASES, FAILED, GRIDDED, MARKUP
from tests.support.viewer_controls import try_all

# Texts and names that hold words of English.
_ENGLISH = """() => {
    const root = document.querySelector(".vesselkit-review"), found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) found.push(walker.currentNode.data);
    for (const one of root.querySelectorAll("*")) found.push(one.title, one.ariaLabel, one.placeholder);
    return found.filter((text) => text && /[A-Za-z]{3}/.test(text) && !/[\\u4e00-\\u9fff]/.test(text));
}"""
_IN_BOTH = {"English", "Dice", "Enter", "Home, End", "Shift + 1 … 9", *CASES}


def test_a_button_changes_the_language_of_everything(opened):
    opened.case(FAILED)
    opened.press("Shift+Digit1", "E")
    before, english = opened.text(".vesselkit-review"), set(opened.page.evaluate(_ENGLISH))
    opened.page.click(".vk-language")
    opened.settle()
    left = set(opened.page.evaluate(_ENGLISH)) - _IN_BOTH
    assert len(english) > 100 and {one for one in left if MARKUP not in one} == {"no_seg", "read_error"}
    assert "没有预测：no_seg" in opened.notes()[2] and opened.page.locator(":root [lang='zh-CN']").count() == 1
    opened.case(GRIDDED)
    assert opened.text(".vk-hint") == "运行自己的掩膜，阈值 0.500"
    opened.case(FAILED)
    opened.press("E")
    opened.page.click(".vk-language")
    opened.settle()
    assert opened.text(".vesselkit-review") == before


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
    try_all(opened.page, pause_ms=20)  # nothing is asked of a kernel


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
