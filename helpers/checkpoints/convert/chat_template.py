"""What a base's chat template puts around a user's words."""

from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from helpers.checkpoints.convert.families import FamilyFacts
from helpers.checkpoints.read.weight_folder import read_json_object
from helpers.core.errors import RefusedInput

_CHAT_TEMPLATE = "chat_template.json"


def user_turn(source: Path, tokenizer: Any, family: FamilyFacts) -> str:
    """What the chat template of a folder puts around one user turn: a text with `{input}` where the words stand.

    The template is rendered in the sandbox of transformers.

    Raises:
        RefusedInput: where the folder has no template, or one that writes words or pictures otherwise than expected.
    """
    template = tokenizer.chat_template
    beside = source / _CHAT_TEMPLATE
    if template is None and beside.is_file():
        template = read_json_object(beside).get("chat_template")
    if not isinstance(template, str):
        raise RefusedInput(
            f"{source}: holds no chat template, of which prompts are made; copy {_CHAT_TEMPLATE}, chat_template.jinja "
            f"or tokenizer_config.json of the {family.title} folder that training started from into it"
        )

    def rendered(*content: dict[str, str]) -> str:
        turns = [{"role": "user", "content": list(content)}]
        return tokenizer.apply_chat_template(turns, chat_template=template, add_generation_prompt=True, tokenize=False)

    words: dict[str, str] = {"type": "text", "text": "{input}"}
    try:
        turn, with_picture = rendered(words), rendered({"type": "image"}, words)
    except (TemplateError, TypeError, ValueError, OverflowError) as error:
        raise RefusedInput(
            f"{source}: its chat template cannot be rendered ({type(error).__name__}: {error}); copy or "
            "download it again"
        ) from error
    start, end, picture = family.picture_tokens
    if turn.count("{input}") != 1 or with_picture != turn.replace("{input}", f"{start}{picture}{end}{{input}}"):
        raise RefusedInput(
            f"{source}: its chat template writes a picture and a text as {with_picture!r}, expected the turn "
            f"{turn!r} with {start}{picture}{end} before the words; take the template of the published {family.title}"
        )
    return turn
