"""Words that several packages share stand in one module, which is light to import."""

import ast
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import helpers
from helpers.core import vocabulary

ROOT = Path(helpers.__file__).resolve().parent
KINDS = [kind for kind in vars(vocabulary).values() if isinstance(kind, type) and issubclass(kind, StrEnum)]
WORDS = {kind.__name__: {str(word) for word in kind} for kind in KINDS if kind is not StrEnum}


def texts_of(node):
    """The texts among the values of a class's members, or among the items of a Literal or tuple."""
    if isinstance(node, ast.ClassDef):
        items = [line.value for line in node.body if isinstance(line, ast.Assign)]
    else:
        items = getattr(node.slice if isinstance(node, ast.Subscript) else node, "elts", [])
    return {item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def test_no_other_module_lists_the_same_words():
    assert len(WORDS) > 10 and WORDS["Combine"] == {"union", "first", "best"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted(ROOT.rglob("*.py"))
        # The receipt's script runs without the kit.
        if path.name not in ("vocabulary.py", "receipt_script.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef | ast.Subscript | ast.Tuple) and texts_of(node) in WORDS.values()
    ]
    assert found == []


def test_the_words_load_no_library():
    code = "import sys, helpers.core.vocabulary; sys.exit(bool({'torch', 'numpy', 'pandas'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
