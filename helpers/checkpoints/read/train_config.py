"""The few facts a conversion needs from a training config, read without executing it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.read.adapters import (
    AdapterPart,
    AdapterSettings,
    find_adapters,
    read_adapter_file,
    shown_unread,
    unread_entry,
    values_under,
)
from helpers.checkpoints.read.config_literals import MAX_TEXT_BYTES, DottedName, Unread, read_config_values
from helpers.core.errors import RefusedInput

__all__ = ["CONTRADICTION", "TrainingConfig", "Unread", "read_training_config", "read_training_config_file"]

CONTRADICTION = "contradiction"
_TEMPLATE_TABLE = "PROMPT_TEMPLATE"
_INHERITED = "_base_"


@dataclass(frozen=True)
class TrainingConfig:
    """What a training config says; None where it says nothing, or where its value was not read.

    Attributes:
        origin: where the text is from, for messages.
        adapters: settings of its LoRA, by the part of the model that each changes.
        template: name of the prompt template, such as 'qwen_chat'.
        special_tokens: in the order in which they were added to the tokenizer.
        base_path: the base model on the training machine.
        sam2_path, sam2_config: SAM2's file and its own config name, where the config gives them.
        pretrained_pth: a full checkpoint that training loaded before LoRA was attached.
        inherited: the text by which it takes over another config, which is not followed.
        unread: 'field: source text' for each field above whose value is more than a literal, and
            each inherited config, which is not followed.
        text: the whole config.
        values: everything assigned, with Unread in the places not understood.
    """

    origin: str
    adapters: Mapping[AdapterPart, AdapterSettings]
    template: str | None
    special_tokens: tuple[str, ...] | None
    base_path: str | None
    sam2_path: str | None
    sam2_config: str | None
    pretrained_pth: str | None
    inherited: str | None
    unread: tuple[str, ...]
    text: str
    values: dict[str, object]

    @property
    def lora_alpha(self) -> float | None:
        """Of the language model's LoRA."""
        return self.adapter(AdapterPart.LANGUAGE).alpha

    @property
    def lora_rank(self) -> int | None:
        """Of the language model's LoRA."""
        return self.adapter(AdapterPart.LANGUAGE).rank

    def adapter(self, part: AdapterPart) -> AdapterSettings:
        """The settings of one part's LoRA; all of them None where the config has none."""
        return self.adapters.get(part, AdapterSettings())

    def unread_text(self, field: str) -> str | None:
        """The source text of a field that was found and not understood; None where there is none."""
        return next((entry.partition(": ")[2] for entry in self.unread if entry.startswith(f"{field}: ")), None)


def adapter_training_config(values: Mapping[str, object], origin: str) -> TrainingConfig:
    """What peft's `adapter_config.json`, parsed, says of its training: the adapter's settings, whatever it is on."""
    adapter = read_adapter_file(values)
    base = values.get("base_model_name_or_path")
    return TrainingConfig(
        origin=origin,
        adapters=dict.fromkeys(AdapterPart, adapter),
        template=None,
        special_tokens=None,
        base_path=base if isinstance(base, str) and base else None,
        sam2_path=None,
        sam2_config=None,
        pretrained_pth=None,
        inherited=None,
        unread=adapter.unread,
        text="",
        values={},
    )


def read_training_config_file(path: Path) -> TrainingConfig:
    """Read a training config from a Python file. Raises RefusedInput as `read_training_config` does."""
    if not path.is_file():
        raise RefusedInput(f"{path} does not exist or is not a file. Give the Python config that training used.")
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
    elsewhere = Unread(read.elsewhere[0]) if read.elsewhere else None
    model = values.get("model", elsewhere)
    inherited = (*(() if _INHERITED not in values else (f"{_INHERITED} = {values[_INHERITED]!r}",)), *read.inherited)
    unread = _Unread()
    adapters = find_adapters(model, origin)
    for part, adapter in adapters.items():
        for entry in adapter.unread:
            unread.note_entry(unread_entry(part, entry))
    templates = [values.get("template", elsewhere), _at(model, "template"), values.get("prompt_template")]
    template = _template(templates, unread)
    tokens = _special_tokens([_at(model, "special_tokens"), values.get("special_tokens")], unread)
    tokenizers = [values.get("tokenizer"), *_dicts_with(model, "pretrained_model_name_or_path")]
    base_paths = [
        _at(model, "mllm", "model_path"),
        values.get("path"),
        *(_at(item, "pretrained_model_name_or_path") for item in tokenizers),
    ]
    base_path = _first_text("base_path", base_paths, unread)
    sam2_path = _first_text("sam2_path", [_at(model, "grounding_encoder", "ckpt_path")], unread)
    sam2_config = _first_text("sam2_config", [_at(model, "grounding_encoder", "cfg_path")], unread)
    pretrained_pth = _pretrained(model, values.get("pretrained_pth"), unread)
    if _INHERITED in values:
        unread.note(_INHERITED, f"{values[_INHERITED]!r} (inherited config, not followed)")
    for line in read.skipped:
        unread.note("statement", line)
    return TrainingConfig(
        origin=origin,
        adapters=adapters,
        template=template,
        special_tokens=tokens,
        base_path=base_path,
        sam2_path=sam2_path,
        sam2_config=sam2_config,
        pretrained_pth=pretrained_pth,
        inherited=inherited[0] if inherited else None,
        unread=tuple(unread.entries),
        text=text,
        values=values,
    )


class _Unread:
    """Collects 'field: source text' for the values that were found and not understood."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def note(self, field: str, text: str) -> None:
        self.note_entry(f"{field}: {text}")

    def note_entry(self, entry: str) -> None:
        if entry not in self.entries:
            self.entries.append(entry)

    def note_value(self, field: str, value: object) -> None:
        """Note a value of the wrong kind; None, nothing found, is no such value."""
        if value is not None:
            self.note(field, shown_unread(value))


def _pretrained(model: object, beside: object, unread: _Unread) -> str | None:
    """The file that training loaded; where the model speaks of none, a name beside it may be meant for it."""
    if isinstance(model, dict):
        given = list(values_under(model, "pretrained_pth")) or [beside]
    else:
        given = [model if isinstance(model, Unread) else beside]
    named: list[str | None] = []
    for value in given:
        if _is_plain_text(value) and value:
            named.append(str(value))
        else:
            unread.note_value("pretrained_pth", value)
            named += [] if value is None else [None]
    if len(set(named)) > 1 and None not in named:
        unread.note("pretrained_pth", f"{CONTRADICTION} between {' and '.join(dict.fromkeys(map(str, named)))}")
        return None
    return None if not named or None in named else named[0]


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


def _template(candidates: Iterable[object], unread: _Unread) -> str | None:
    """The template's name. A table of its texts beside it says nothing more; what is not read may name another."""
    names: list[str] = []
    tables: list[object] = []
    for value in candidates:
        name = _template_name(value)
        if name is not None:
            names += [name] if name not in names else []
        elif isinstance(value, dict):
            tables.append(value)
        elif value is not None:
            unread.note_value("template", value)
            return None
    if len(names) > 1:
        unread.note("template", f"{CONTRADICTION} between {' and '.join(names)}")
        return None
    if not names:
        for value in tables:
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
        unread.note("special_tokens", f"{CONTRADICTION} between {found[0]} and {found[1]}")
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
