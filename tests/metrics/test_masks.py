"""One rule for every function of the engine that takes a mask: the same scores in every dtype, or a refusal."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import helpers.metrics
from helpers.core.errors import RefusedInput
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.masks import as_mask, as_masks
from helpers.metrics.postprocessing import Processing
from helpers.metrics.topology import skeleton
from tests.support.drawn_masks import bar, masks, steady

# A parameter that holds an array is a mask, or it is numbers: a new name has to be put down in one of the two.
MASKS = {
    "at", "mask", "next_mask", "next_truth", "prediction", "prediction_skeleton", "skeleton", "target", "truth",
    "truth_skeleton",
}  # fmt: skip
NUMBERS = {"denominators", "differences", "logits", "numerators", "p_values", "temperatures", "unit_means"}
NUMBERS |= {"course", "doubt", "probabilities", "score", "unit_values", "values"}
LOGITS = np.linspace(-3, 3, 11 * 11).reshape(11, 11)
MORE = {"logit_histogram": {"logits": LOGITS}, "closed": {"radius": 2}, "without_small": {"fewest": 3}}
MORE |= {"expected_dice": {"probabilities": np.abs(LOGITS) / 3}, "in_bright_part": {"values": LOGITS}}
PLACE = {"place": (5.0, 4.0), "across": (0.0, 1.0)}
MORE |= {"calibre_at": {**PLACE, "reach": 5.0}, "narrowing_seen": {**PLACE, "calibre": 2.0, "reference": 6.0}}
MORE |= {"gap_bridged": {"course": np.array([[2.0, 4.0], [8.0, 4.0]]), "reference": 2.0}}

DTYPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8 0/1": lambda mask: mask.astype(np.uint8),
    "uint8 0/255": lambda mask: mask.astype(np.uint8) * 255,
    "int16 0/255": lambda mask: mask.astype(np.int16) * 255,
    "int64 0/1": lambda mask: mask.astype(np.int64),
    "uint16 0/255": lambda mask: mask.astype(np.uint16) * 255,
    "float16 0/1": lambda mask: mask.astype(np.float16),
    "float32 0/255": lambda mask: mask.astype(np.float32) * 255,
    "float64 0/1": lambda mask: mask.astype(np.float64),
    "lists": lambda mask: mask.tolist(),
}
REFUSED: dict[str, Callable[[np.ndarray], Any]] = {
    "labels": lambda mask: np.where(mask, 2, 0) + np.eye(len(mask), dtype=int)[::-1],
    "2 for vessel": lambda mask: mask * 2,
    "1 and 255": lambda mask: np.where(mask, 255, 0) + np.eye(len(mask), dtype=int),
    "-1 for vessel": lambda mask: -mask.astype(int),
    "antialiased": lambda mask: mask * 200 + 20,
    "probabilities": lambda mask: mask * 0.9,
    "nearly one": lambda mask: mask * (1 - 1e-6),
    "NaN": lambda mask: np.where(mask, np.nan, 0.0),
    "infinite": lambda mask: np.where(mask, np.inf, 0.0),
    "a channel": lambda mask: mask[None],
    "three channels": lambda mask: np.stack([mask] * 3, axis=-1),
    "one row": lambda mask: mask[5],
    "no pixels": lambda mask: mask[:0],
    "text": lambda mask: mask.astype(str),
    "objects": lambda mask: mask.astype(object),
    "complex": lambda mask: mask.astype(complex),
    "masked pixels": lambda mask: np.ma.masked_array(mask, mask),
}


def _array_parameters(function: Callable) -> list[str]:
    signature = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in signature if "ndarray" in str(parameter.annotation)]


def _public_functions() -> dict[str, Callable]:
    """Every public function and method of the engine that takes an array, by module and name."""
    found = {}
    for module in pkgutil.iter_modules(helpers.metrics.__path__):
        loaded = importlib.import_module(f"helpers.metrics.{module.name}")
        for name, value in vars(loaded).items():
            if name.startswith("_") or getattr(value, "__module__", "") != loaded.__name__:
                continue
            members = vars(value).items() if inspect.isclass(value) else [(name, value)]
            found |= {
                f"{module.name}.{member}": function
                for member, function in members
                if inspect.isfunction(function) and not member.startswith("_") and _array_parameters(function)
            }
    return found


def _scored(truth: Any, prediction: Any) -> dict[str, float]:
    return dict(score_case(CaseArrays("c1", truth, prediction, logits=LOGITS, spacing_mm=(0.3, 0.2))).values)


def _scored_in_part(truth: Any, prediction: Any, mask: Any) -> dict[str, float]:
    """The scores beside pixels that are not scored."""
    case = CaseArrays("c1", truth, prediction, logits=LOGITS, ignored=mask)
    return {**score_case(case).values, **asdict(score_case(case).counts)}


FUNCTIONS = _public_functions()
ENTRIES: dict[str, tuple[Callable, list[str]]] = {
    "score_case, truth and prediction": (_scored, ["truth", "prediction"]),
    "score_case, ignored pixels": (_scored_in_part, ["truth", "prediction", "mask"]),
    **{
        name: (
            partial(function, Processing(2, 3)) if name.endswith(".apply") else function,
            [parameter for parameter in _array_parameters(function) if parameter in MASKS],
        )
        for name, function in FUNCTIONS.items()
        if MASKS & set(_array_parameters(function))
    },
}
# Where the message has another name than the parameter's: what the case calls it.
NAMED = {
    ("score_case, truth and prediction", "truth"): "^case c1: ground truth",
    ("score_case, truth and prediction", "prediction"): "^case c1: prediction",
    ("score_case, ignored pixels", "truth"): "^case c1: ground truth",
    ("score_case, ignored pixels", "prediction"): "^case c1: prediction",
    ("score_case, ignored pixels", "mask"): "^ignored pixels",
}


def _given(truth: np.ndarray, prediction: np.ndarray) -> dict[str, np.ndarray]:
    """A mask for every name, with background on all sides and a pixel at least."""
    truth, prediction = np.pad(truth, 1), np.pad(prediction, 1)
    truth[4, 4] = prediction[5, 4] = True
    moved = {"next_truth": np.roll(truth, 1, axis=0), "next_mask": np.roll(prediction, 1, axis=1)}
    lines = {"truth_skeleton": skeleton(truth), "prediction_skeleton": skeleton(prediction)}
    moved |= {"target": truth, "at": prediction}
    return {"truth": truth, "prediction": prediction, "mask": prediction, "skeleton": skeleton(truth), **moved, **lines}


def _called(entry: str, arrays: dict[str, Any]) -> Any:
    function, names = ENTRIES[entry]
    result = function(**{name: arrays[name] for name in names}, **MORE.get(entry.rpartition(".")[2], {}))
    return asdict(result) if is_dataclass(result) else result


def test_every_array_of_a_public_function_is_a_mask_or_numbers():
    named = {parameter for function in FUNCTIONS.values() for parameter in _array_parameters(function)}
    assert named == MASKS | NUMBERS and len(ENTRIES) > 15


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_dtype_gives_the_same(entry):
    @settings(steady, max_examples=15)
    @given(masks(), masks(), st.lists(st.sampled_from(sorted(DTYPES)), min_size=4, max_size=4))
    def held(truth, prediction, kinds):
        arrays = _given(truth, prediction)
        others = {name: DTYPES[kinds[at % 4]](mask) for at, (name, mask) in enumerate(arrays.items())}
        np.testing.assert_equal(_called(entry, others), _called(entry, arrays))

    held()


@pytest.mark.parametrize("entry", ENTRIES)
def test_anything_else_is_refused_for_each_mask(entry):
    arrays = _given(bar(9, 9, rows=slice(2, 6), columns=slice(2, 8)), bar(9, 9, rows=slice(3, 6), columns=slice(1, 8)))
    _, names = ENTRIES[entry]
    _called(entry, arrays)
    for kind, made in REFUSED.items():
        for name in names:
            with pytest.raises(
                RefusedInput, match=rf"{NAMED.get((entry, name), f'^{name}').replace('_', ' ')}: expected"
            ):
                _called(entry, {**arrays, name: made(arrays[name])})
                pytest.fail(f"{kind} was taken for {name}")


def test_masks_of_two_shapes_are_refused():
    arrays = _given(bar(9, 9, rows=slice(2, 6), columns=slice(2, 8)), bar(9, 9, rows=slice(3, 6), columns=slice(1, 8)))
    several = {entry: names for entry, (_, names) in ENTRIES.items() if len(names) > 1 or "logit" in entry}
    assert len(several) > 8
    for entry, names in several.items():
        for name in names:
            with pytest.raises(RefusedInput, match=r"\(11, 11\).*\(13, 13\)|\(13, 13\).*\(11, 11\)"):
                _called(entry, {**arrays, name: np.pad(arrays[name], 1)})


def test_a_bool_mask_is_given_back_itself():
    mask = bar(4, 5, rows=slice(1, 2), columns=slice(1, 4))
    assert as_mask("mask", mask) is mask
    (same,) = as_masks(mask=mask)
    assert same is mask


def test_the_message_says_what_came_and_what_to_do():
    labels = np.array([[0, 1], [2, 2]], np.uint8)
    with pytest.raises(
        RefusedInput, match=r"^truth: .*0 and 1, or 0 and 255, got uint8 \(2, 2\) with the values 0, 1, 2\."
    ) as caught:
        as_mask("truth", labels)
    assert "labels == 1" in str(caught.value)
    with pytest.raises(RefusedInput, match="with the values 0, 1, 2, 3, 4 and 251 more"):
        as_mask("truth", np.arange(256).reshape(16, 16))
    with pytest.raises(RefusedInput, match=r"truth \(2, 2\), next truth \(2, 3\)"):
        as_masks(truth=np.zeros((2, 2)), next_truth=np.zeros((2, 3)))


def test_empty_and_full_masks_of_numbers():
    for full in (np.ones((2, 3), np.int8), np.full((2, 3), 255, np.uint8), np.full((2, 3), 255.0)):
        assert as_mask("mask", full).all() and not as_mask("mask", 0 * full).any()
