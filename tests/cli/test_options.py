"""Options of data sets are written once, and reach a command as one value."""

import inspect
from pathlib import Path
from typing import Annotated

import pytest
import typer
import vesselkit
from typer.main import get_command

from helpers.cli.app import app
from helpers.cli.options import AS_FOUND, Data, DataOptions, with_data_options
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import AskedIds
from helpers.evaluation.regression_gate import check
from helpers.stages.predict_stage import predict

Layout = Annotated[str | None, typer.Option("--layout", help="Two of them.")]


@with_data_options(without=("split", "rescale"), layout=Layout)
def look(data: Data, options: DataOptions = AS_FOUND, n: int = 3) -> tuple:
    """Look."""
    return data, options, n


def test_the_bundle_stands_in_the_place_of_one_parameter():
    names = list(inspect.signature(look).parameters)
    assert names == ["data", "layout", "ids", "id_key", "group_by", "rescale_from", "n"] == list(look.__annotations__)
    assert inspect.signature(look).parameters["layout"].annotation is Layout and look.__doc__ == "Look."


def test_a_command_gets_what_was_typed_as_one_value():
    given = {"layout": "coco", "ids": AskedIds.KEEP, "id_key": Path("k"), "group_by": None, "rescale_from": "8x8"}
    found = look(data=Path("d"), n=4, **given)
    assert found == (Path("d"), DataOptions("coco", AskedIds.KEEP, Path("k"), rescale_from="8x8"), 4)


def test_a_data_set_is_described_as_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    options = DataOptions("coco", AskedIds.PSEUDONYM, Path("k"), split="test", rescale=True)
    opening = options.opening(Path("set"))
    assert (opening.data, opening.id_key, opening.ids) == (tmp_path / "set", tmp_path / "k", "pseudonym")
    assert (opening.layout, opening.split, opening.rescale, opening.rescale_from) == ("coco", "test", True, None)
    assert AS_FOUND.opening(Path("set")).id_key is None
    with pytest.raises(UsageProblem, match="DATASET none: expected an existing file or folder"):
        options.opening(Path("none"), "DATASET")


def test_more_words_are_added_to_those_that_were_typed():
    assert DataOptions(split="test").typed(metrics="m", rescale=None) == {
        **dict.fromkeys(("layout", "ids", "id_key", "group_by", "rescale", "rescale_from")),
        "split": "test",
        "metrics": "m",
    }


FUNCTIONS = {
    "convert": vesselkit.convert,
    "predict": vesselkit.predict,
    "evaluate": vesselkit.evaluate,
    "review": vesselkit.open_review,
    "gate": check,
    "refseg": predict,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_default_of_a_command_is_that_of_its_function(name):
    """A command that leaves a default to its function has None, or `auto`."""
    options = {option.name: option.default for option in get_command(app).commands[name].params}
    own = {
        one.name: one.default
        for one in inspect.signature(FUNCTIONS[name]).parameters.values()
        if one.default is not inspect.Parameter.empty
    }
    shared = {one for one in options.keys() & own.keys() if options[one] not in (None, "auto")}
    assert {one: options[one] for one in shared} == {one: own[one] for one in shared}
