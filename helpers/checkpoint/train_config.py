"""The few facts a conversion needs from a training config, read without executing it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoint.config_literals import MAX_TEXT_BYTES, DottedName, Unread, read_config_values
from helpers.errors import RefusedInput

__all__ = ["TrainingConfig", "Unread", "read_training_config", "read_training_config_file"]

_TEMPLATE_TABLE = "PROMPT_TEMPLATE"
_INHERITED = "_base_"
_MAX_LORA_NUMBER = 1e9


@dataclass(frozen=True)
class TrainingConfig:
    """What a training config says; None where it says nothing, or where its value was not read.

    Attributes:
        origin: where the text is from, for messages.
        lora_alpha, lora_rank: of the language model's LoRA.
        template: name of the prompt template, such as 'qwen_chat'.
        special_tokens: in the order in which they were added to the tokenizer.
        base_path: the base model on the training machine.
        sam2_path, sam2_config: SAM2's file and its own config name, where the config gives them.
        pretrained_pth: a full checkpoint that training began from.
        unread: 'field: source text' for each field above whose value is more than a literal, and
            each inherited config, which is not followed.
        text: the whole config.
        values: everything assigned, with Unread in the places not understood.
    """

    origin: str
    lora_alpha: float | None
    lora_rank: int | None
    template: str | None
    special_tokens: tuple[str, ...] | None
    base_path: str | None
    sam2_path: str | None
    sam2_config: str | None
    pretrained_pth: str | None
    unread: tuple[str, ...]
    text: str
    values: dict[str, object]


def read_training_config_file(path: Path) -> TrainingConfig:
    """Read a training config from a Python file. Raises RefusedInput as `read_training_config` does."""
    if not path.is_file():
        raise RefusedInput(f"{path} does not exist or is no file. Give the Python config that training used.")
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise RefusedInput(f"{path} is {size:,} bytes long; a training config has at most {MAX_TEXT_BYTES:,}.")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedInput(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start}).") from error
    return read_training_config(text, str(path))


def read_training_config(text: str, origin: str) -> TrainingConfig:
    """Read a training config from its text; nothing in it is executed or imported.

    Raises RefusedInput, naming `origin`, when the text is not Python, too long or too deep, or
    gives two different LoRA alphas or ranks.
    """
    read = read_config_values(text, origin)
    values = read.values
    model = values.get("model")
    unread = _Unread()
    adapters = list(_dicts_with(model, "lora_alpha"))
    if not adapters:
        unread.note_value("lora_alpha", _unread_adapter(model))
    alpha = _only_number(origin, "lora_alpha", adapters, unread)
    rank = _only_number(origin, "r", adapters, unread)
    if rank is not None and not rank.is_integer():
        unread.note_value("lora_rank", rank)
        rank = None
    template = _template([values.get("template"), _at(model, "template"), values.get("prompt_template")], unread)
    tokens = _special_tokens([_at(model, "special_tokens"), values.get("special_tokens")], unread)
    tokenizers = [values.get("tokenizer"), *_dicts_with(model, "pretrained_model_name_or_path")]
    base_paths = [
        _at(model, "mllm", "model_path"),
        values.get("path"),
        *(_at(item, "pretrained_model_name_or_path") for item in tokenizers),
    ]
    pretrained = [_at(model, "pretrained_pth"), values.get("pretrained_pth")]
    base_path = _first_text("base_path", base_paths, unread)
    sam2_path = _first_text("sam2_path", [_at(model, "grounding_encoder", "ckpt_path")], unread)
    sam2_config = _first_text("sam2_config", [_at(model, "grounding_encoder", "cfg_path")], unread)
    pretrained_pth = _first_text("pretrained_pth", pretrained, unread)
    if _INHERITED in values:
        unread.note(_INHERITED, f"{values[_INHERITED]!r} (inherited config, not followed)")
    for line in read.skipped:
        unread.note("statement", line)
    return TrainingConfig(
        origin=origin,
        lora_alpha=alpha,
        lora_rank=None if rank is None else int(rank),
        template=template,
        special_tokens=tokens,
        base_path=base_path,
        sam2_path=sam2_path,
        sam2_config=sam2_config,
        pretrained_pth=pretrained_pth,
        unread=tuple(unread.entries),
        text=text,
        values=values,
    )


class _Unread:
    """Collects 'field: source text' for the values that were found and not understood."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def note(self, field: str, text: str) -> None:
        entry = f"{field}: {text}"
        if entry not in self.entries:
            self.entries.append(entry)

    def note_value(self, field: str, value: object) -> None:
        """Note a value of the wrong kind; None, nothing found, is no such value."""
        if isinstance(value, Unread):
            self.note(field, value.text)
        elif isinstance(value, DottedName):
            self.note(field, f"{value} (imported name, not followed)")
        elif value is not None:
            self.note(field, f"{value!r} (of an unexpected type)"[:200])


def _at(value: object, *keys: str) -> object:
    """The value under nested keys; None where there is none, the Unread marker where the way ends in one."""
    for key in keys:
        if isinstance(value, Unread):
            return value
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _dicts_with(value: object, key: str) -> Iterator[dict[object, object]]:
    """Every dict within a value that has the key."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for item in value.values():
            yield from _dicts_with(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _dicts_with(item, key)


def _unread_adapter(value: object) -> Unread | None:
    """The marker in the place where the LoRA settings should be."""
    if isinstance(value, Unread):
        return value
    if not isinstance(value, dict):
        return None
    for key, item in value.items():
        holds_adapter = key == "mllm" or (isinstance(key, str) and "lora" in key)
        found = _unread_adapter(item) if holds_adapter or isinstance(item, dict) else None
        if found is not None:
            return found
    return None


def _only_number(origin: str, key: str, adapters: Iterable[dict[object, object]], unread: _Unread) -> float | None:
    """The positive number under a key of every adapter; two different ones are refused."""
    field = "lora_rank" if key == "r" else key
    found: set[float] = set()
    not_read = False
    for adapter in adapters:
        value = adapter.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MAX_LORA_NUMBER:
            found.add(float(value))
        elif value is not None:
            not_read = True
            unread.note_value(field, value)
    if len(found) > 1:
        raise RefusedInput(
            f"{origin} gives different values of {field} in its model: {', '.join(f'{v:g}' for v in sorted(found))}. "
            "Expected one LoRA; which value is meant cannot be told. Correct a copy of the config and give that."
        )
    return None if not_read or not found else found.pop()


def _template(candidates: Iterable[object], unread: _Unread) -> str | None:
    """The template's name. An entry that is not understood counts only when no other gives the name."""
    names: list[str] = []
    others: list[object] = []
    for value in candidates:
        name = _template_name(value)
        if name is None:
            others.append(value)
        elif name not in names:
            names.append(name)
    if len(names) > 1:
        unread.note("template", f"contradiction between {' and '.join(names)}")
        return None
    if not names:
        for value in others:
            unread.note_value("template", value)
        return None
    return names[0]


def _template_name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    parts = value.split(".")
    if len(parts) > 1 and parts[-2] == _TEMPLATE_TABLE:
        return parts[-1]
    return None if isinstance(value, DottedName) else value


def _special_tokens(candidates: Iterable[object], unread: _Unread) -> tuple[str, ...] | None:
    found: list[tuple[str, ...]] = []
    for value in candidates:
        if value is None:
            continue
        if not isinstance(value, list | tuple) or not all(_is_plain_text(item) for item in value):
            unread.note_value("special_tokens", value)
            return None
        if tuple(value) not in found:
            found.append(tuple(value))
    if len(found) > 1:
        unread.note("special_tokens", f"contradiction between {found[0]} and {found[1]}")
        return None
    return found[0] if found else None


def _first_text(field: str, candidates: Iterable[object], unread: _Unread) -> str | None:
    """The first candidate present. One that is not plain text ends the search: a later one may be another thing."""
    for value in candidates:
        if value is None:
            continue
        if _is_plain_text(value):
            return str(value)
        unread.note_value(field, value)
        return None
    return None


def _is_plain_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, DottedName)
