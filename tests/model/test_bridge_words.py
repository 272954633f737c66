"""Words that stand for pictures, where there is none or they are not the user's to write: refused by each family."""

from types import SimpleNamespace

import pytest

from helpers.model.bridge import bridge_for
from helpers.model.configuration_sa2va import Family, Sa2VAConfig

TOKENIZER = SimpleNamespace(encode=lambda text: text)  # ids are the text itself
INTERNVL, QWEN = Family.INTERNVL, [Family.QWEN2_5_VL, Family.QWEN3_VL]


def asked(family, text="Hello.", past_text="", pictures=None):
    return bridge_for(Sa2VAConfig(family=family.value)).prompt_ids(TOKENIZER, text, past_text, pictures)


@pytest.mark.parametrize(
    ("family", "call", "said"),
    [
        (
            INTERNVL,
            {"past_text": "<image>"},
            "past_text holds an image (<image>), but no image is given. Give the same",
        ),
        (INTERNVL, {"past_text": "<img><IMG_CONTEXT></img>"}, "past_text holds an image (<IMG_CONTEXT>)"),
        (INTERNVL, {"text": "<IMG_CONTEXT>"}, "text: <IMG_CONTEXT> stands for a part of an image. Take it out"),
        (INTERNVL, {"text": "<IMG_CONTEXT>", "pictures": (4,)}, "text: <IMG_CONTEXT> stands for a part of an image"),
        *[
            (family, call, said)
            for family in QWEN
            for call, said in (
                ({"past_text": "<image>"}, "past_text holds an image (<image>), but no image is given. Give the same"),
                ({"past_text": "<|image_pad|>"}, "past_text: <|image_pad|> stands for a part of an image or a video"),
                ({"text": "<|video_pad|>"}, "text: <|video_pad|> stands for a part of an image or a video. Take it"),
                ({"text": "<|image_pad|>", "pictures": (4,)}, "text: <|image_pad|> stands for a part of an image or"),
                ({"text": "<|video_pad|>", "pictures": (4,)}, "text: <|video_pad|> stands for a part of an image or"),
            )
        ],
    ],
)
def test_a_sign_of_a_picture_that_is_not_there_is_refused(family, call, said):
    with pytest.raises(ValueError) as caught:
        asked(family, **call)
    assert str(caught.value).startswith(said)


def test_earlier_turns_may_hold_the_image_that_is_given_again():
    earlier = "<img><IMG_CONTEXT></img>What is it? A heart."
    assert earlier in asked(INTERNVL, past_text=earlier, pictures=(1,))


@pytest.mark.parametrize("family", QWEN)
def test_beside_an_image_the_earlier_turns_of_a_qwen_model_have_no_effect(family):
    assert asked(family, past_text="<|image_pad|>", pictures=(1,)) == asked(family, pictures=(1,))
