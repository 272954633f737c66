"""Bridges alone know families: no other module of the kit asks which kind of model it has."""

import ast
from pathlib import Path

import helpers

ROOT = Path(helpers.__file__).resolve().parent
# Who may: bridges, the configuration that builds the language model, the conversion's tables, what names families and
# models that are refused, and the check that a folder is one of Sa2VA at all. sentencepiece's files have a field of
# that name that is about something else.
MAY_ASK = {
    "model/bridge.py",
    "model/bridge_internvl.py",
    "model/configuration_sa2va.py",
    "checkpoints/convert/families.py",
    "checkpoints/convert/model_config.py",
    "checkpoints/read/model_identity.py",
    "checkpoints/read/sentencepiece_model.py",
    "prediction/engine/model_loading.py",
}


def asks_for_model_type(tree: ast.AST) -> bool:
    """Whether code reads `model_type`: as an attribute, a key, or an argument such as that of `get`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "model_type" and isinstance(node.ctx, ast.Load):
            return True
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and node.slice.value == "model_type"
        ):
            return True
        if isinstance(node, ast.Call) and any(
            isinstance(one, ast.Constant) and one.value == "model_type" for one in node.args
        ):
            return True
    return False


def test_no_module_outside_the_bridges_asks_for_the_model_type():
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if asks_for_model_type(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert asking <= MAY_ASK, asking - MAY_ASK


def test_the_search_finds_what_it_should():
    for code in ("config.model_type", "config['model_type']", "config.get('model_type')", "getattr(c, 'model_type')"):
        assert asks_for_model_type(ast.parse(code)), code
    assert not asks_for_model_type(ast.parse("config = {'model_type': 'qwen2'}"))
