"""The list of all commands is the one that was fixed."""

import re

import pytest

from helpers.cli.commands_page import parameters
from helpers.cli.registry import COMMANDS, available_names, command

FIXED = (
    "inspect, convert, verify, data check, who, predict, import-masks, tune, evaluate, refseg, gate, visualize, "
    "review, report, run, pipeline, synth, train, bench predict, bench model, check-precision, doctor"
)


def test_all_commands_of_the_kit_are_there_in_order():
    assert ", ".join(found.name for found in COMMANDS) == FIXED


def test_every_usage_begins_with_its_command():
    for found in COMMANDS:
        assert re.match(rf"vesselkit {found.name}( |$)", found.usage), found
        assert found.summary.endswith(".") and "\n" not in found.summary


@pytest.mark.parametrize("name", available_names())
def test_the_usage_of_an_available_command_names_all_its_options_and_no_other(name):
    options = {parameter.opts[0] for parameter in parameters(name) if parameter.param_type_name == "option"}
    arguments = {parameter.metavar for parameter in parameters(name) if parameter.param_type_name == "argument"}
    usage = command(name).usage.removeprefix(f"vesselkit {name}")
    assert set(re.findall(r"--[a-z0-9_-]+", usage)) == options
    assert set(re.findall(r"(?:^| )([A-Z]+)", re.sub(r"\[?--[a-z0-9_-]+( [^]\s]+)?\]?", "", usage))) == arguments


@pytest.mark.parametrize("name", available_names())
def test_required_options_stand_without_brackets(name):
    usage = command(name).usage
    for parameter in parameters(name):
        if parameter.param_type_name == "option":
            assert (f"[{parameter.opts[0]}" in usage) is not parameter.required, parameter.opts
