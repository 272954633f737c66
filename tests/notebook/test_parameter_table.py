"""The parameters as they are shown: what each takes, what was given, and nothing that could name anybody."""

import re
from html import unescape
from unittest.mock import patch

import pytest

from helpers.core import paths
from helpers.notebook import showing
from helpers.notebook.kit_notebooks import SETTINGS
from helpers.notebook.parameter_table import declared, show_parameters
from helpers.notebook.parameters import validate
from helpers.notebook.settings import ConvertSettings, EvaluateSettings, InferSettings, ReviewSettings


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    for folder in ("DOE_JOHN", "outputs/demo/convert/a"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path.resolve()


def shown(settings):
    """Name -> what stands in the column `given`."""
    with patch.object(showing, "display") as display:
        show_parameters(settings)
    (data,) = display.call_args.args
    assert "DOE_JOHN" not in str(data)
    cells = [unescape(cell) for cell in re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", data["text/html"])]
    head, *rows = (cells[start : start + 5] for start in range(0, len(cells), 5))
    assert head == ["parameter", "given", "default", "takes", "meaning"]
    return {name: given for name, given, *_ in rows}


@pytest.mark.parametrize("name", SETTINGS)
def test_each_parameter_has_a_type_a_default_of_it_and_a_meaning(name):
    types = {"str": str, "int": int, "float": float, "list": list, "bool": bool}
    for one in declared(SETTINGS[name]):
        assert type(one.default) is types[one.cell_type] and one.meaning and "\n" not in one.meaning
        assert len(one.line) <= 120


def test_what_it_takes_is_what_is_checked():
    takes = {one.name: one.takes for one in declared(InferSettings)}
    assert takes["threshold"] == "number above 0, below 1" and takes["limit"] == "whole number from 1"
    assert takes["data"] == "path" and takes["model"] == "folder" and takes["prompts"] == "list of texts"
    assert takes["quantize"] == "int8 | nf4" and takes["layout"] == "text"
    assert {one.name: one.takes for one in declared(EvaluateSettings)}["exclude_training"] == "true | false"
    assert {one.name: one.takes for one in declared(ReviewSettings)}["against"] == "list of texts, at most 1"


@pytest.mark.parametrize("name", SETTINGS)
def test_the_defaults_are_accepted_but_for_what_is_needed(name, root):
    model = SETTINGS[name]
    needed = {field: "DOE_JOHN" for field, one in model.model_fields.items() if one.is_required()}
    defaults = {one.name: one.default for one in declared(model)}
    found = validate(model, {**defaults, **needed})
    assert found == validate(model, needed)
    assert {name: given for name, given in shown(found).items() if given} == {one: f"<{one}>" for one in needed}


def test_given_values_are_shown_and_paths_of_the_user_are_not(root):
    values = {"data": "DOE_JOHN", "model": "outputs/demo/convert/a", "threshold": 0.25, "limit": 3}
    found = shown(validate(InferSettings, {**values, "prompts": ["one", "<b>"]}))
    assert found["data"] == "<data>" and found["threshold"] == "0.25" and found["limit"] == "3"
    assert found["model"] == "outputs/demo/convert/a" and found["prompts"] == "one; <b>"
    assert found["dtype"] == found["layout"] == found["name"] == ""
    runs = {"data": "DOE_JOHN", "predictions": str(root / "DOE_JOHN"), "beside": ["a", "DOE_JOHN/b"]}
    found = shown(validate(ReviewSettings, runs))
    assert found["predictions"] == "<predictions>" and found["beside"] == "a; <beside>"


def test_no_value_inside_the_project_shows_where_the_project_lies(root):
    (root / "outputs/sizes.json").write_text("{}")
    given = {"checkpoint": "DOE_JOHN", "base": "DOE_JOHN", "sam2_config": "outputs/sizes.json"}
    found = shown(validate(ConvertSettings, given))
    assert found["sam2_config"] == "outputs/sizes.json" and not [text for text in found.values() if str(root) in text]
