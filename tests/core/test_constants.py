"""One fact stands in one place: a constant is not written down again in another module."""

import ast
from collections import defaultdict

from tests.test_layers import ROOT

# Equal by chance, or apart for a reason.
SEVERAL = {
    "'Please segment the blood vessels.'": "the receipt's script runs where the kit is not",
    "'official_check'": "fields of two records",
    "'dataset.json'": "one is nnU-Net's",
    "'masks'": "two folders",
    "'parameters'": "the tag of a cell, and what a bar shows before the first heading",
    "'vesselkit'": "the kit's name",
    "('dice', 'cldice')": "what the gate compares, what figures show by group",
    "'WARNING'": "two configs, which import nothing",
    "'<image>'": "the code in an export imports nothing of the kit, and the kit's predictor no transformers",
    r"b'\x89PNG\r\n\x1a\n'": "as before",
    "('vision_model.', 'language_model.', 'mlp1.')": "what a base holds, what training puts into its mllm",
}


def told(value):
    """Whether a constant is a fact by itself, not a small number or a plain word."""
    if isinstance(value, str | bytes):
        return len(value) > 4
    return isinstance(value, tuple | list | set | dict) and len(value) > 1


def constants():
    """Literal -> the modules that give it a name."""
    found = defaultdict(set)
    for path in sorted(ROOT.rglob("*.py")):
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(line, ast.Assign) or not all(isinstance(name, ast.Name) for name in line.targets):
                continue
            value = line.value
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "frozenset" and value.args:
                value = value.args[0]
            try:
                known = ast.literal_eval(value)
            except ValueError:
                continue
            if told(known):
                found[repr(known)].add(path.relative_to(ROOT).as_posix())
    return found


def test_no_constant_stands_in_two_modules():
    twice = {value: sorted(places) for value, places in constants().items() if len(places) > 1}
    assert {value: places for value, places in twice.items() if value not in SEVERAL} == {}
    assert set(SEVERAL) <= set(twice), "no longer twice"
