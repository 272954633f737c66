"""What a base's chat template puts around a user's words, with a tokenizer that renders like one of transformers."""

import json

import pytest
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from helpers.checkpoints.convert.families import FAMILIES
from helpers.checkpoints.convert.tokenizer_files import user_turn
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Family

FAMILY = FAMILIES[Family.QWEN3_VL]
START, END, PICTURE = FAMILY.picture_tokens
CONTENT = (
    "{% for part in messages[0].content %}"
    "{% if part.type == 'image' %}" + START + PICTURE + END + "{% else %}{{ part.text }}{% endif %}{% endfor %}"
)
GOOD = "<user>" + CONTENT + "<end>{% if add_generation_prompt %}<assistant>{% endif %}"


class Tokenizer:
    """Renders a template in jinja's sandbox."""

    def __init__(self, template=None):
        self.chat_template = template

    def apply_chat_template(self, turns, chat_template, add_generation_prompt, tokenize):
        assert not tokenize
        template = ImmutableSandboxedEnvironment().from_string(chat_template)
        return template.render(messages=turns, add_generation_prompt=add_generation_prompt)


def test_the_turn_has_a_place_for_the_words(tmp_path):
    assert user_turn(tmp_path, Tokenizer(GOOD), FAMILY) == "<user>{input}<end><assistant>"


def test_the_tokenizers_own_template_comes_before_that_of_a_file(tmp_path):
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": GOOD, "another": "x"}))
    assert user_turn(tmp_path, Tokenizer(), FAMILY) == "<user>{input}<end><assistant>"
    assert user_turn(tmp_path, Tokenizer(GOOD.replace("user", "human")), FAMILY).startswith("<human>")


@pytest.mark.parametrize("content", [None, {}, {"chat_template": ["x"]}])
def test_a_folder_without_a_template_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "chat_template.json").write_text(json.dumps(content))
    with pytest.raises(RefusedInput, match="holds no chat template.*chat_template.json.*Qwen3-VL folder"):
        user_turn(tmp_path, Tokenizer(), FAMILY)


@pytest.mark.parametrize("template", [GOOD.replace(START, "<i>"), GOOD + CONTENT, "<user>" + PICTURE, CONTENT[:-40]])
def test_a_template_that_writes_otherwise_is_refused(tmp_path, template):
    with pytest.raises(RefusedInput, match="its chat template (writes a picture and a text as|cannot be rendered)"):
        user_turn(tmp_path, Tokenizer(template), FAMILY)


@pytest.mark.parametrize("error", [TemplateError, TypeError, ValueError, OverflowError])
def test_a_template_that_cannot_be_rendered_is_named(tmp_path, error):
    class Broken(Tokenizer):
        def apply_chat_template(self, *turns, **settings):
            raise error("why")

    with pytest.raises(RefusedInput, match=rf"cannot be rendered \({error.__name__}: why\)"):
        user_turn(tmp_path, Broken(GOOD), FAMILY)
