"""Names of tensors of the Qwen vision-language models, in checkpoints, exports and bases, made one.

The common names are `visual.` for the vision tower with its mergers, and those of InternVL's language models for the
rest: `language_model.model.`, `language_model.lm_head.`. Both generations of names in files of transformers are read.
"""

import re

_LANGUAGE_PARTS = r"(layers|embed_tokens|norm)\."

# Tried in order on names without training prefixes and wrappers; the first full match wins.
_RULES = tuple(
    (re.compile(pattern), target)
    for pattern, target in (
        (r"(?:model\.){0,2}visual\.(.+)", r"visual.\1"),
        (r"(?:model\.){0,2}language_model\." + _LANGUAGE_PARTS + "(.+)", r"language_model.model.\1.\2"),
        (r"(?:model\.){1,2}" + _LANGUAGE_PARTS + "(.+)", r"language_model.model.\1.\2"),
        (r"(?:model\.)?lm_head\.(.+)", r"language_model.lm_head.\1"),
    )
)

# Common name -> native name, under the beginnings that all names of the table share; see `key_map`.
QWEN_VL_TABLE = {(r"visual\.", r"vision_tower."): {r"(.+)": r"\1"}}


def common_name(name: str) -> str:
    """The common name of a tensor of a Qwen model; any other name as it is."""
    for pattern, target in _RULES:
        if match := pattern.fullmatch(name):
            return match.expand(target)
    return name
