"""What a training config says in its source: texts, data sets, and the configs that it takes over.

The source is parsed, never executed.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SAMPLES = "SegmentationSamples"  # the kit's own data set of a training: a folder, not an annotation file


@dataclass(frozen=True)
class TrainedOn:
    """A data set that a config of the kit trains on.

    Attributes:
        data: path of the folder or annotation file, as the config writes it.
        layout, split: as of `open_dataset`; None where the config names none.
    """

    data: str = field(repr=False)
    layout: str | None
    split: str | None


def texts(node: ast.AST, words: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Every text of a config, with the words of the variables, arguments and keys that it stands under."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value, words
        return
    if isinstance(node, ast.Assign):
        words = words.union(*(words_of(target.id) for target in node.targets if isinstance(target, ast.Name)))
    elif isinstance(node, ast.keyword):
        words = words | words_of(node.arg or "")
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            own = words_of(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else frozenset()
            yield from texts(value, words | own)
        return
    for child in ast.iter_child_nodes(node):
        yield from texts(child, words)


def data_sets(tree: ast.AST) -> Iterator[TrainedOn]:
    """The data sets of a training by the kit, whose config names a folder in any layout."""
    for node in ast.walk(tree):
        fields = _fields(node)
        if str(fields.get("type", "")).endswith(_SAMPLES) and isinstance(fields.get("data"), str):
            yield TrainedOn(fields["data"], fields.get("layout"), fields.get("split"))


def _fields(node: ast.AST) -> dict[str, str]:
    """The texts of a `{...}` or a `dict(...)`, by their keys."""
    if isinstance(node, ast.Dict):
        pairs = [(key.value, value) for key, value in zip(node.keys, node.values, strict=True)
                 if isinstance(key, ast.Constant)]  # fmt: skip
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        pairs = [(one.arg, one.value) for one in node.keywords]
    else:
        return {}
    return {
        key: value.value
        for key, value in pairs
        if isinstance(key, str) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def inherited(tree: ast.Module) -> Iterator[str | None]:
    """Relative paths of the configs that a config takes over, by `_base_` or imports under `read_base()`; None for one
    of an installed package, and for an import that names no module.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_base_" for t in node.targets):
            yield from (text for text, _ in texts(node.value, frozenset()))
        elif isinstance(node, ast.With) and "read_base" in ast.dump(node.items[0].context_expr):
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom) and inner.level and inner.module:
                    yield "../" * (inner.level - 1) + inner.module.replace(".", "/") + ".py"
                else:
                    yield None


def words_of(text: str) -> frozenset[str]:
    """The words of a name, in small letters, such as `train` and `images` of `train_images`."""
    return frozenset(re.findall(r"[a-z]+", text.lower()))
