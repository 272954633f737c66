"""The table of what the viewer says: none is missing in either language, and none is left over."""

import re

import pytest

from helpers.evaluation.leakage import standing
from helpers.evaluation.leakage.standing import Counts, title
from helpers.evaluation.score_table import Unit
from helpers.metrics.definitions import DEFINITIONS
from helpers.review import case_panels, opened_review, payload
from helpers.review.corrections.carrying import Carried
from helpers.review.verdicts import VerdictReason
from helpers.review.viewer_facts import VIEWER_PARTS, chinese_texts, viewer_part
from tests.support.node import node

TEXT = r'"((?:[^"\\]|\\.)*)"'
SAID = re.compile(rf"\bsay\(\s*{TEXT}")
COUNTED = re.compile(rf'\bcounted\([^"]*?, {TEXT}\)')
SHOWN = r"tell\(|tellKept\(|button\(|label\(|(?:textContent|title|ariaLabel|placeholder)(?:: | = |\", )"
PLAIN = re.compile(rf"\b(?:{SHOWN})[\"`][^\"`]*[a-z]{{3}}[^\"`]*")
NAMES = {"Dice", "IoU", "clDice", "HD95", "ASSD"}  # in both languages
CHINESE_SIGN = re.compile(r"[\u4e00-\u9fff]")


def sources():
    """File -> its text, texts of several pieces as one."""
    names = [name for name in VIEWER_PARTS if name != "chinese"]
    return {name: re.sub(r'"\s*\+\s*"', "", viewer_part(name)) for name in names}


def texts_of_python():
    without = payload._HIDDEN
    yield from (opened_review._PLACE_TEXT, without.status, without.words)
    yield from (case_panels._NO_TRUTH, case_panels._BROKEN_TRUTH, case_panels._NO_FRAME)
    yield from VerdictReason
    yield standing.UNKNOWN_TITLE
    yield from (one.title for one in DEFINITIONS if not one.title.startswith("NSD") and one.title not in NAMES)


def test_every_text_is_in_the_table_and_each_of_the_table_is_said():
    table, texts = chinese_texts(), sources()
    said = {one for text in texts.values() for one in SAID.findall(text)}
    said |= {f"{{count}} {noun}s" for text in texts.values() for noun in COUNTED.findall(text)}
    said |= set(texts_of_python())
    assert len(said) > 150 and said - table.keys() == set()
    literals = {one for text in texts.values() for one in re.findall(TEXT, text)}
    assert table.keys() - said - literals == set()


def test_no_text_is_shown_past_the_table():
    found = [one for text in sources().values() for one in PLAIN.findall(re.sub(r"\$\{[^}]*\}", "", text))]
    assert found == ['title: "Dice']


def test_both_languages_have_the_same_places_for_values():
    for english, chinese in chinese_texts().items():
        assert sorted(re.findall(r"\{\w+\}", chinese)) == sorted(re.findall(r"\{\w+\}", english)), english
        assert CHINESE_SIGN.search(chinese) or not re.search(r"[a-z]{4}", english), english


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    """`chinese(text)`: what Python says in English, as the viewer says it."""
    with node(tmp_path_factory.mktemp("node"), ("chinese", "words")) as call:
        yield lambda text: call('kit.speak("zh"); return String(kit.heard(given[0]));', text)


def test_what_python_says_with_values_in_it_is_known_by_its_form(chinese):
    for unit in Unit:
        for numbers in ((0, 12, 0), (12, 0, 0), (3, 9, 0), (3, 7, 2), (0, 0, 12), (0, 10, 2)):
            for left_out in (0, 1, 4):
                english = title(Counts(unit, *numbers), left_out)
                assert not re.search("[A-Za-z]", chinese(english)), english
    assert chinese("12 patients, 3 of them TRAINING patients") == "12 位患者，其中训练患者 3"
    for carried in (Carried(("a", "b"), ("P1",)), Carried(("a",), ("P1", "P2", "P3"), ("c",))):
        assert set(re.findall("[A-Za-z]+", chinese(carried.to_text()))) == {"P"}
    assert chinese("model's own guess, rank of 1200") == "模型自己的猜测，在 1200 例中的名次"


def test_what_is_no_text_of_the_table_stays_as_it_is(chinese):
    for text in ("ok", "no_seg", "a run.of (cases)", "constructor", "P1 cases", ""):
        assert chinese(text) == text
