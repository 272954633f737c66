"""Prompts that can never work, told before a model is loaded."""

import re
from collections.abc import Sequence

from helpers.errors import UsageProblem

DEFAULT_PROMPT = "Please segment the blood vessels."

# Signs of Sa2VA and of the chat templates. As text they become the model's own tokens: places of image tokens that no
# image fills, answers that nobody gave, the end of a turn.
_SIGNS = re.compile(r"<IMG_CONTEXT>|</?(?:img|vp|p)>|\[SEG\]|<\|[^<>|\s]+\|>")
_IMAGE = "<image>"
_SHOWN = 80  # characters of a prompt in a message


def check_prompt(text: str, what: str = "prompt") -> None:
    """Raise UsageProblem where no model can answer a prompt.

    Args:
        text: the user's words; `<image>` may stand once for the image.
        what: names the prompt in the message.
    """
    shown = text.encode("utf-8", "backslashreplace").decode()
    shown = repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageProblem(
            f"{what}: expected a text in UTF-8, got other bytes in {shown}. Type it again, or save its file as UTF-8"
        ) from error
    if not text.replace(_IMAGE, "").strip():
        raise UsageProblem(f"{what}: expected words such as {DEFAULT_PROMPT!r}, got none in {shown}")
    if text.count(_IMAGE) > 1:
        raise UsageProblem(
            f"{what}: expected {_IMAGE} at most once, since one image is given, got it {text.count(_IMAGE)} times in "
            f"{shown}. Leave it out: it is put in front"
        )
    sign = _SIGNS.search(text)
    if sign is not None:
        raise UsageProblem(
            f"{what}: expected words, got the model's own sign {sign[0]} in {shown}. Leave it out: what the model "
            "needs of these is put in"
        )


def check_prompts(prompts: Sequence[str]) -> None:
    """Raise UsageProblem where there is no prompt, one comes twice, or `check_prompt` refuses one."""
    if not prompts:
        raise UsageProblem(f"prompt: expected a text such as {DEFAULT_PROMPT!r}, got none")
    for prompt in prompts:
        check_prompt(prompt)
    if len(set(prompts)) < len(prompts):
        raise UsageProblem("prompt: expected each text once, got one twice. Leave it out")
