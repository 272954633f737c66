"""What is asked for the expressions of a data set: words alone, as prediction gets them."""

from collections.abc import Sequence

from helpers.evaluation.refcoco.expressions import Expression

# As the RefCOCO evaluation of Sa2VA asks, the blank before `Please` included.
DEFAULT_PROMPT = "<image>\n Please segment {expression} in this image."
PLACE = "{expression}"


def prompt_of(template: str, text: str) -> str:
    """The prompt of an expression: in lower case and without a final full stop, as Sa2VA is trained on them."""
    return template.replace(PLACE, text.lower().strip().removesuffix("."))


def own_prompts(expressions: Sequence[Expression], template: str) -> dict[str, tuple[str, ...]]:
    """The prompts of each case by its id, in the order of its expressions; equal ones are asked once."""
    found: dict[str, dict[str, None]] = {}
    for item in expressions:
        found.setdefault(item.frame.case_id, {})[prompt_of(template, item.text)] = None
    return {case_id: tuple(prompts) for case_id, prompts in found.items()}
