"""What a run asks: the same prompts of every case, or prompts of its own of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.core.shown_text import counted
from helpers.data.frames.image_reading import natural_key

# The user's words: each asked of every case, or those of each case by its id.
Prompts = Sequence[str] | Mapping[str, Sequence[str]]

FIRST_PROMPT_ID = "p1"  # of `AskedPrompts.numbered`
_SHARED, OWN = "prompts", "case_prompts"


@dataclass(frozen=True)
class AskedPrompts:
    """The prompts of a run, each the user's words by prompt id: `p1`, `p2`, ... in the order given.

    Attributes:
        shared: asked of every case; none where cases have their own.
        own: those of each case by its id; None where all are asked the same.
    """

    shared: Mapping[str, str]
    own: Mapping[str, Mapping[str, str]] | None = None

    @classmethod
    def numbered(cls, prompts: Prompts) -> "AskedPrompts":
        """Prompts with their ids."""
        if isinstance(prompts, Mapping):
            return cls({}, {case_id: _numbered(words) for case_id, words in prompts.items()})
        return cls(_numbered(prompts))

    @classmethod
    def of_config(cls, values: Mapping[str, Any]) -> "AskedPrompts":
        """The prompts in a run's configuration."""
        own = values.get(OWN)
        each = None if own is None else {case_id: _in_order(prompts) for case_id, prompts in own.items()}
        return cls(_in_order(values[_SHARED]), each)

    def to_config(self) -> dict[str, Any]:
        """The fields of a configuration that say them: `prompts`, and `case_prompts` where cases have their own."""
        own = {} if self.own is None else {OWN: {case_id: dict(prompts) for case_id, prompts in self.own.items()}}
        return {_SHARED: dict(self.shared), **own}

    def of(self, case_id: str) -> Mapping[str, str]:
        """What is asked of a case, by prompt id; nothing of a case that the run does not have."""
        return self.shared if self.own is None else self.own.get(case_id, {})


def other_prompts(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> str:
    """What to say where cases of a run were asked other prompts of their own than is asked for now."""
    case_ids = sorted(set(before) | set(now), key=natural_key)
    apart = [case_id for case_id in case_ids if before.get(case_id) != now.get(case_id)]
    first = apart[0]
    had, asked = (_in_order(prompts.get(first, {})) for prompts in (before, now))
    prompt_id = next(name for name in _in_order({**had, **asked}) if had.get(name) != asked.get(name))
    words = [repr(prompts[prompt_id]) if prompt_id in prompts else "nothing" for prompts in (had, asked)]
    return (
        f"{OWN}: other ones of {len(apart)} of {counted(len(case_ids), 'case')}; as {prompt_id} of {first} the run has "
        f"{words[0]}, asked for was {words[1]}"
    )


def _numbered(prompts: Sequence[str]) -> dict[str, str]:
    return {f"p{number}": prompt for number, prompt in enumerate(prompts, start=1)}


def _in_order(prompts: Mapping[str, str]) -> dict[str, str]:
    """As they were given: `p2` before `p10`."""
    return {prompt_id: prompts[prompt_id] for prompt_id in sorted(prompts, key=natural_key)}
