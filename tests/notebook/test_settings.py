"""The notebooks' parameter types: what stands for 'not given', and what is refused."""

import pytest

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.notebook.parameters import validate
from helpers.notebook.settings import ConvertSettings, EvaluateSettings, InferSettings


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    (tmp_path / "frames").mkdir()
    (tmp_path / "sizes.json").write_text("{}")
    (tmp_path / "iter_1.pth").write_bytes(b"")
    return tmp_path.resolve()


CONVERT = {"project": "demo", "checkpoint": "iter_1.pth"}
INFER = {"project": "demo", "data": "frames"}
UNSET = ("name", "model", "layout", "ids", "id_key", "group_by", "split")


def test_empty_texts_and_zeros_mean_not_given(root):
    unset = dict.fromkeys(("name", "base", "sam2", "sam2_config", "train_config", "template"), "")
    found = validate(ConvertSettings, {**CONVERT, **unset, "lora_alpha": 0.0})
    assert found.checkpoint == root / "iter_1.pth" and found.dtype == "bfloat16"
    assert {getattr(found, name) for name in (*unset, "lora_alpha")} == {None}
    infer = validate(InferSettings, {**INFER, **dict.fromkeys(UNSET, ""), "limit": 0, "batch_size": 0})
    assert infer.data == root / "frames"
    assert {getattr(infer, name) for name in (*UNSET, "limit", "batch_size")} == {None}


def test_given_values_are_kept(root):
    found = validate(ConvertSettings, {**CONVERT, "sam2_config": "sizes.json", "lora_alpha": 16, "name": "run-1"})
    assert (found.sam2_config, found.lora_alpha, found.name) == (str(root / "sizes.json"), 16.0, "run-1")
    assert validate(ConvertSettings, {**CONVERT, "sam2_config": "hiera_l"}).sam2_config == "hiera_l"
    assert validate(InferSettings, {**INFER, "limit": 3, "device": "cuda:1"}).device == "cuda:1"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("checkpoint", "", "needed; give a path"),
        ("checkpoint", "absent.pth", "expected an existing file or folder"),
        ("base", "absent", "does not point to a directory"),
        ("base", 0, "got 0 (int)"),
        ("sam2", "absent.pt", "does not point to a file"),
        ("sam2_config", "absent.json", "expected an existing file"),
        ("train_config", "absent.py", "does not point to a file"),
        ("lora_alpha", -1.0, "greater than 0"),
        ("lora_alpha", "", "got '' (str)"),
        ("lora_alpha", False, "got False (bool)"),
        ("dtype", "fp16", "'bfloat16'"),
        ("name", "../up", "expected a name of letters"),
        ("project", "", "expected a name of letters"),
    ],
)
def test_bad_parameters_of_a_conversion(root, name, value, words):
    with pytest.raises(UsageProblem) as caught:
        validate(ConvertSettings, {**CONVERT, name: value})
    assert f"  {name}: " in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("data", "", "needed; give a path"),
        ("data", "absent", "expected an existing file or folder"),
        ("model", "absent", "does not point to a directory"),
        ("prompts", [], "at least 1 item"),
        ("prompts", "vessel", "list"),
        ("combine", "all", "'union'"),
        ("ids", "public", "'keep'"),
        ("batch_size", -1, "greater than or equal to 1"),
        ("threshold", "abc", "got 'abc' (str)"),
        ("threshold", 1.0, "less than 1"),
        ("device", "gpu", "expected auto, cpu"),
        ("dtype", "fp16", "'auto'"),
        ("limit", -1, "greater than or equal to 1"),
        ("limit", 2.0, "got 2.0 (float)"),
    ],
)
def test_bad_parameters_of_a_prediction(root, name, value, words):
    with pytest.raises(UsageProblem) as caught:
        validate(InferSettings, {**INFER, name: value})
    assert f"  {name}: " in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("data", "", "needed; give a path"),
        ("data", "absent", "expected an existing file or folder"),
        ("against", "frangi", "list"),
        ("against", [" "], "pattern"),
        ("training", "absent.json", "expected an existing file or folder"),
        ("predictions", 3, "got 3 (int)"),
        ("seed", -1, "greater than or equal to 0"),
        ("draws", 10, "greater than or equal to 100"),
        ("draws", "many", "got 'many' (str)"),
        ("processes", -1, "greater than or equal to 1"),
    ],
)
def test_bad_parameters_of_an_evaluation(root, name, value, words):
    with pytest.raises(UsageProblem) as caught:
        validate(EvaluateSettings, {**INFER, name: value})
    assert f"  {name}" in str(caught.value) and words in str(caught.value)


def test_what_an_evaluation_may_leave_out(root):
    unset = dict.fromkeys(
        ("name", "predictions", "layout", "ids", "id_key", "group_by", "split", "prompt", "training"), ""
    )
    found = validate(EvaluateSettings, {**INFER, **unset, "processes": 0})
    assert {getattr(found, name) for name in (*unset, "processes")} == {None}
    assert (found.against, found.draws, found.data) == ([], 10_000, root / "frames")
    assert validate(EvaluateSettings, {**INFER, "training": "sizes.json"}).training == root / "sizes.json"


@pytest.fixture
def with_demo(root):
    """A project root that has the demo's files."""
    model = root / "helpers/dev/demo/files/model"
    (model / "ckpt").mkdir(parents=True)
    (model / "base/internvl_base").mkdir(parents=True)
    for name in ("ckpt/iter_200.pth", "base/sam2_base.pt", "sam2_sizes.json"):
        (model / name).touch()
    (root / "helpers/dev/demo/files/data").mkdir()
    return root / "helpers/dev/demo/files"


@pytest.mark.parametrize("given", [{}, {"data": ""}, {"project": "demo", "data": "", "model": ""}])
def test_project_demo_takes_the_demos_data_where_nothing_is_named(with_demo, given):
    assert validate(InferSettings, given).data == with_demo / "data"


def test_project_demo_takes_the_demos_checkpoint_where_nothing_is_named(with_demo):
    found = validate(ConvertSettings, {"checkpoint": "", "base": "", "sam2": "", "sam2_config": ""})
    assert found.checkpoint == with_demo / "model/ckpt/iter_200.pth"
    assert found.base == with_demo / "model/base/internvl_base" and found.sam2 == with_demo / "model/base/sam2_base.pt"
    assert found.sam2_config == str(with_demo / "model/sam2_sizes.json")


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (InferSettings, {"project": "mystudy"}),
        (InferSettings, {"model": "frames"}),
        (EvaluateSettings, {"predictions": "/data/run"}),
        (EvaluateSettings, {"against": ["./results/run"]}),
        (ConvertSettings, {"project": "mystudy"}),
        (ConvertSettings, {"base": "frames"}),
    ],
)
def test_inputs_of_ones_own_are_never_mixed_with_the_demos(with_demo, model, given):
    name = "checkpoint" if model is ConvertSettings else "data"
    for empty in ({}, {name: ""}):
        with pytest.raises(UsageProblem, match=f"{name}: (needed|missing)"):
            validate(model, {**given, **empty})
    assert getattr(validate(model, {**given, name: "iter_1.pth"}), name) == with_demo.parents[3] / "iter_1.pth"


def test_a_placeholder_of_an_executed_copy_is_one_clear_line(root):
    with pytest.raises(UsageProblem) as caught:
        validate(InferSettings, {**INFER, "data": "<data>", "model": "<model>"})
    assert str(caught.value) == (
        "parameters refused:\n  data, model: given as a path, which an executed copy does not keep. "
        "Give it again instead of the text in <>, or with -p"
    )
