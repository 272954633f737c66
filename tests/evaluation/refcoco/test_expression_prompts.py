"""What is asked for expressions: words as they were trained, and nothing but words."""

import pytest

from helpers.data.dataset import open_dataset
from helpers.evaluation.refcoco.expression_prompts import DEFAULT_PROMPT, own_prompts, prompt_of
from helpers.evaluation.refcoco.expressions import read_expressions
from tests.support.expressions import write_refcoco


@pytest.mark.parametrize(
    ("text", "prompt"),
    [("Left", "a left b"), (" The Left. ", "a the left b"), ("two..", "a two. b"), (". dot", "a . dot b")],
)
def test_words_are_asked_as_they_were_trained(text, prompt):
    assert prompt_of("a {expression} b", text) == prompt


def test_the_prompt_is_that_of_the_protocol_with_the_words_as_trained():
    assert prompt_of(DEFAULT_PROMPT, "The Left.") == "<image>\n Please segment the left in this image."


def test_each_case_has_the_prompts_of_its_expressions_and_equal_ones_once(tmp_path):
    items = read_expressions(open_dataset(write_refcoco(tmp_path))).items
    assert own_prompts(items, "the {expression}") == {
        "a": ("the left", "the the left", "the both"),
        "b": ("the nothing",),
    }
    assert own_prompts(items, "it") == {"a": ("it",), "b": ("it",)}
