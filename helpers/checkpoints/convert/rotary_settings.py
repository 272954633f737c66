"""The rotary settings of a base's config, in the names of either generation: understood as a whole, or refused.

Up to transformers 4 they are `rope_theta` and `rope_scaling`, later both are in `rope_parameters`. A setting that only
one place states, or that libraries pass over, would else decide in silence.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import rope_settings

_OLD, _NEW = "rope_scaling", "rope_parameters"
_THETA, _KIND, _SHARES = "rope_theta", "rope_type", "mrope_section"
_KIND_NAMES = (_KIND, "type")
_UNSCALED = (None, "default", "mrope")
# Settings of one of the types that transformers computes, and those of positions in pictures.
_UNDERSTOOD = frozenset(
    (*_KIND_NAMES, _THETA, "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
     "short_factor", "long_factor", "low_freq_factor", "high_freq_factor", "mscale", "mscale_all_dim", "truncate",
     _SHARES, "mrope_interleaved")
)  # fmt: skip
_WHOLE = "partial_rotary_factor"  # understood where it is 1
_ADVICE = "Use the config of the folder that the run started from, unchanged"


def require_rotary(text: Mapping[str, Any], origin: Path) -> None:
    """Stop where rotary settings contradict each other, or one of them is not understood.

    Args:
        text: settings of the language model.
        origin: the file it came from, for messages.
    Raises:
        RefusedInput: naming the settings.
    """
    stated: dict[str, tuple[str, Any]] = {}
    for place, name, value in _statements(text, origin):
        if name == _WHOLE and value in (None, 1):
            continue
        if name not in _UNDERSTOOD:
            raise RefusedInput(f"{origin}: {place}: {name} is not understood (got {value!r}). {_ADVICE}")
        kept, value = (_KIND, _kind(value)) if name in _KIND_NAMES else (name, value)
        other, before = stated.setdefault(kept, (place, value))
        if before != value:
            raise RefusedInput(
                f"{origin}: {other} and {place} contradict each other on {kept} ({before!r} and {value!r}), and "
                f"libraries read one or the other. {_ADVICE}"
            )
    if _NEW in text and _OLD in text:
        _require_both(text, origin)


def _statements(text: Mapping[str, Any], origin: Path) -> Iterator[tuple[str, str, Any]]:
    """Place, name and value of each setting."""
    for name in (_THETA, _WHOLE):
        if text.get(name) is not None:
            yield name, name, text[name]
    for place in (_OLD, _NEW):
        values = text.get(place)
        if values is not None and not isinstance(values, Mapping):
            raise RefusedInput(f"{origin}: {place}: expected an object or null, got {values!r}. {_ADVICE}")
        for name, value in (values or {}).items():
            yield place, name, value


def _kind(value: Any) -> Any:
    return None if value in _UNSCALED else value


def _require_both(text: Mapping[str, Any], origin: Path) -> None:
    """Stop where the two generations of names do not say the same."""
    theta = text.get(_THETA)
    named = {} if theta is None else {_THETA: theta}
    old, new = (rope_settings({**named, place: text[place]}) for place in (_OLD, _NEW))
    if old[1] != new[1]:
        raise RefusedInput(
            f"{origin}: {_OLD} and {_NEW} contradict each other ({text[_OLD]!r} and {text[_NEW]!r}), and libraries "
            f"read one or the other. {_ADVICE}"
        )


def require_shares(text: Mapping[str, Any], origin: Path) -> None:
    """Stop where how positions in pictures share a head's channels is not said in full; libraries have numbers of their
    own then.

    Raises:
        RefusedInput: naming what was found.
    """
    shares = ((rope_settings(dict(text))[1] or {}).get(_SHARES)) or []
    width = text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"]
    if not names_theta(text) or len(shares) != 3 or 2 * sum(shares) != width:
        raise RefusedInput(
            f"{origin}: expected rope_theta, and an mrope_section of three numbers whose sum is half of the {width} "
            f"channels of a head; got mrope_section {shares or None}. {_ADVICE}"
        )


def names_theta(text: Mapping[str, Any]) -> bool:
    """Whether the settings name the base of the frequencies, in any place."""
    return any(place.get(_THETA) is not None for place in (text, *(text.get(name) or {} for name in (_OLD, _NEW))))


def require_dynamic(text: Mapping[str, Any], origin: Path) -> None:
    """Stop where InternLM2 has another scaling than none or the dynamic one, which Llama computes alike.

    Raises:
        RefusedInput: naming what was found.
    """
    scaling = rope_settings(dict(text))[1] or {}
    factor = scaling.get("factor")
    is_number = isinstance(factor, int | float) and not isinstance(factor, bool) and factor >= 1
    if scaling and (set(scaling) != {_KIND, "factor"} or scaling[_KIND] != "dynamic" or not is_number):
        raise RefusedInput(
            f"{origin}: llm_config: expected InternLM2 with rotary scaling of type 'dynamic' and a factor from 1 on, "
            f"or none; got {scaling!r}. {_ADVICE}"
        )
