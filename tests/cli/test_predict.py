"""What `predict` and `bench predict` refuse before any model is loaded, and one run of the real command."""

import json
from pathlib import Path

import pytest
from PIL import Image

from helpers.cli.arguments import next_steps
from helpers.core.vocabulary import AskedIds
from helpers.prediction.engine import model_loading
from helpers.runs.run_folder import open_run
from tests.support.fixture_model import draw_angiograms
from tests.support.tiny_sources import fixture_sources

TORCHRUN = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}


@pytest.fixture
def refused(call, tmp_path, monkeypatch):
    """The words of a refused call, which must come before a model is loaded and leave nothing behind."""
    draw_angiograms(tmp_path / "data", 1)

    def load(*_):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(model_loading, "load_model", load)

    def run(*arguments, code=2):
        ended = call("predict", "--data", "data", "--output", "run", *arguments)
        assert ended.code == code and not (tmp_path / "run").exists()
        return ended.err

    return run


def test_there_is_no_default_model(call, refused):
    assert "there is no default model" in refused()
    assert "there is no default model" in call("predict", "--data", "nowhere", "--output", "run").err


def test_one_model_only(refused, model):
    assert "got both" in refused("--model", str(model), "--checkpoint", "c.pth")
    assert "--sam2-config: goes with --checkpoint" in refused("--model", str(model), "--sam2-config", "hiera_l")


def test_modes_of_sequences_need_sequences_and_a_model_that_follows(refused, model):
    track = ("--mode", "track")
    assert "Say with --group-by which frames belong together" in refused("--model", str(model), *track)
    assert "Leave --model frangi out" in refused("--model", "frangi", *track)
    assert "Leave --batch-size out" in refused("--model", str(model), *track, "--batch-size", "4")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--shard", "5/4"], "shard: expected I/N"),
        (["--batch-size", "many"], "--batch-size: expected auto or a number of at least 1, got 'many'"),
        (["--batch-size", "0"], "batch size: expected at least 1, got 0"),
        (["--threshold", "1"], "threshold: expected a probability between 0 and 1"),
        (["--limit", "0"], "limit: expected at least 1"),
        (["--prompt", " "], "prompt: expected words"),
        (["--prompt", "Segment <IMG_CONTEXT>"], "the model's own sign <IMG_CONTEXT>"),
        (["--prompt", "vessel", "--prompt", "<image><image> vessel"], "expected <image> at most once"),
        (["--cuda-graphs", "--device", "cpu"], "--cuda-graphs: expected a CUDA device, got cpu"),
        (["--quantize", "int3"], "int3"),
        (["--max-new-tokens", "0"], "--max-new-tokens: expected at least 1"),
        (["--device", "abacus"], "device: expected auto"),
        (["--dtype", "int3"], "dtype: expected auto"),
        (["--launcher", "slurm"], "launcher slurm: expected the variables SLURM_PROCID"),
        (["--layout", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_work_is_refused_first(refused, model, arguments, said):
    assert said in refused("--model", str(model), *arguments)


def test_ranks_are_no_shards(refused, model, monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert "--shard: the launcher's processes are shards already" in refused("--model", str(model), "--shard", "1/2")


def test_a_folder_that_is_no_model(refused, tmp_path):
    assert "config.json" in refused("--model", str(tmp_path), code=3)


def test_a_run_its_resume_and_another_configuration(call, model, tmp_path, monkeypatch):
    draw_angiograms(tmp_path / "data", 2)
    call_of = ("predict", "--model", str(model), "--data", "data", "--output", "run", "--prompt", "blood vessel")
    ended = call(*call_of, "--limit", "1")
    assert ended.code == 0 and ended.out.startswith("1 case: 1 ") and f"written to {tmp_path / 'run'}" in ended.out
    assert "Doe" not in ended.out + ended.err
    assert ended.out.splitlines()[-1] == "next: vesselkit visualize run --data data --output run-pictures"
    assert open_run(tmp_path / "run").prompts == {"p1": "blood vessel"}
    assert call(*call_of, "--limit", "1").out == ended.out
    monkeypatch.setattr(model_loading, "load_model", None)
    for change in (["--limit", "1", "--threshold", "0.4"], ["--limit", "1", "--batch-size", "7"]):
        other = call(*call_of, *change)
        assert other.code == 3 and "holds a run of another configuration" in other.err
        assert f"{change[-2].removeprefix('--').replace('-', '_')}: the run has" in other.err


def test_a_run_of_the_first_cases_goes_on_with_the_others(call, model, tmp_path, monkeypatch):
    draw_angiograms(tmp_path / "data", 2)
    call_of = ("predict", "--model", str(model), "--data", "data", "--output", "run")
    assert "only the first 1 of 2 cases were asked for" in call(*call_of, "--limit", "1").out
    ended = call(*call_of, "--limit", "7")
    assert ended.code == 0 and ended.out.startswith("2 cases: 2 ") and "asked for" not in ended.out
    assert open_run(tmp_path / "run").config.values["limit"] is None
    assert call(*call_of).out == ended.out
    monkeypatch.setattr(model_loading, "load_model", None)
    fewer = call(*call_of, "--limit", "1")
    assert fewer.code == 3 and "holds a run of all 2 cases, and the command asks for the first 1 of them" in fewer.err


def test_one_image_is_predicted_with_its_panels_and_not_scored(call, model, tmp_path):
    draw_angiograms(tmp_path / "data", 1)
    (image,) = (tmp_path / "data").rglob("*.png")
    run = ("predict", "--model", str(model), "--data", str(image), "--output", "run")
    for _ in range(2):
        ended = call(*run)
        (picture,) = (tmp_path / "run/panels").rglob("p1.png")
        assert ended.code == 0 and f"picture: {picture}" in ended.out
        assert "answer to 'Please segment the blood vessels.': " in ended.out
    scored = call("evaluate", "--predictions", "run", "--data", str(image), "--output", "scores")
    assert scored.code == 3 and "expected ground truth to score against, found none with its 1 case" in scored.err
    assert not (tmp_path / "scores").exists()


def test_the_next_commands_open_the_data_set_in_the_same_way():
    opening = {"layout": None, "ids": AskedIds.KEEP, "group-by": "column:patient id"}
    look, score = next_steps(Path("run"), Path("my data"), opening, scores=True).splitlines()
    shared = "--data 'my data' --ids keep --group-by 'column:patient id' --output"
    assert look == f"next: vesselkit visualize run {shared} run-pictures"
    assert score == f"next: vesselkit evaluate --predictions run {shared} run-scores"


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(call, model, tmp_path, monkeypatch):
    draw_angiograms(tmp_path / "data", 1)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(model_loading, "load_model", interrupted)
    ended = call("predict", "--model", str(model), "--data", "data", "--output", "run")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        130,
        "Error: stopped; give the same command again, which resumes or starts anew",
    )


def test_a_rank_says_which_it_is(call, model, tmp_path, monkeypatch):
    draw_angiograms(tmp_path / "data", 3)
    outs = []
    for rank in ("0", "1"):
        for name, value in {**TORCHRUN, "RANK": rank}.items():
            monkeypatch.setenv(name, value)
        outs.append(call("predict", "--model", str(model), "--data", "data", "--output", "run").out)
    assert outs[0] == "rank 0 of 2 is done; the last rank finishes the run\n"
    assert outs[1].startswith("rank 1 of 2 finished the run\n3 cases: ")


@pytest.mark.model
def test_a_composed_model(call, tmp_path):
    sources = fixture_sources()
    draw_angiograms(tmp_path / "data", 1)
    given = {"--checkpoint": sources.checkpoint, "--base": sources.base, "--sam2": sources.sam2}
    arguments = [str(part) for pair in given.items() for part in pair]
    ended = call("predict", *arguments, "--sam2-config", str(sources.sizes), "--data", "data", "--output", "run")
    assert ended.code == 0, ended.err
    config = json.loads((tmp_path / "run/run.json").read_text())["config"]
    assert config["model"]["folder_name"] == sources.checkpoint.name


def test_the_bench_measures_both_ways(call, model, tmp_path):
    draw_angiograms(tmp_path / "data", 2)
    ended = call(
        "dev", "bench", "predict", "--model", str(model), "--data", "data", "--rounds", "1", "--output", "b.json"
    )
    assert ended.code == 0
    assert all(f"\n{column}: " in ended.out for column in ("loop", "pipeline", "ratio"))
    found = json.loads((tmp_path / "b.json").read_text())
    assert len(found["differing"]) == 2 and max(found["differing"]) <= 2
    assert found["frames"] == 2 and found["ratio"] == pytest.approx(found["pipeline"][0] / found["loop"][0])
    assert call("dev", "bench", "predict", "--model", str(model), "--data", "data", "--n", "0").code == 2


def test_frangi_has_no_weights_to_quantise(refused):
    assert "--quantize: --model frangi is not a network" in refused("--model", "frangi", "--quantize", "nf4")
    assert "--cuda-graphs: --model frangi is not a network" in refused("--model", "frangi", "--cuda-graphs")


def test_graphs_follow_no_sequence(refused, model):
    said = refused("--model", str(model), "--mode", "track", "--cuda-graphs")
    assert "--cuda-graphs: goes with --mode frame, got track" in said


def test_a_quantised_run_says_so(call, model, tmp_path):
    draw_angiograms(tmp_path / "data", 1)
    shared = ("predict", "--data", "data", "--model", str(model), "--device", "cpu")
    assert call(*shared, "--output", "run", "--quantize", "nf4").code == 0
    run = open_run(tmp_path / "run")
    assert run.config.values["predictor"]["quantization"] == "nf4" and len(run.rows) == 1
    ended = call(*shared, "--output", "run")
    assert ended.code == 3 and "predictor" in ended.err


def test_a_run_of_which_every_case_is_an_error_ends_with_1(call, tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / f"data/{number}.png").write_bytes(b"broken")
    asked = ("predict", "--model", "frangi", "--data", "data")
    ended = call(*asked, "--output", "run")
    assert ended.code == 1 and "nothing was predicted; the first: " in ended.out and "next:" not in ended.out
    halves = [call(*asked, "--output", "halves", "--batch-size", "2", "--shard", f"{number}/2") for number in (1, 2)]
    assert [one.code for one in halves] == [1, 1]
    Image.new("L", (32, 32), 9).save(tmp_path / "data/3.png")
    ended = call(*asked, "--output", "mixed")
    assert ended.code == 0 and "3 read_error" in ended.out and "nothing was predicted" not in ended.out
