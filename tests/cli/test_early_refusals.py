"""What can be told from the options alone is refused before the data set is opened, which may take minutes."""

import numpy as np
import pytest
from PIL import Image

from tests.support.vessel_runs import SIDE, write_run


@pytest.fixture
def place(tmp_path):
    """A finished run, whose data set cannot be opened any more, and files to import."""
    write_run(tmp_path / "run", {"a": np.zeros((SIDE, SIDE), bool)})
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dataset.json").write_text("no JSON")  # which opening the data set would tell
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "theirs").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "theirs/a.png")
    return tmp_path


CORRECTIONS = ("import", "theirs", "--into", "corrections", "--reviewer", "ann", "--began-from", "empty")
REFUSED = [
    (("visualize", "lost"), "RUN lost: expected an existing"),
    (("visualize", "run", "--metrics", "lost"), "--metrics lost: expected an existing"),
    (("visualize", "lost", "--films"), "RUN lost: expected an existing"),
    (("visualize", "run", "--films", "--beside", "lost"), "--beside lost: expected an existing"),
    (("visualize", "run", "--films", "--metrics", "lost"), "--metrics lost: expected an existing"),
    (("visualize", "run", "--films", "--rate", "0"), "rate: expected 0.5 to 60"),
    (("review-page", "lost"), "RUN lost: expected an existing"),
    (("export", "lost"), "RUN lost: expected an existing"),
    ((*CORRECTIONS, "--predictions", "lost"), "--predictions lost: expected an existing"),
    ((*CORRECTIONS, "--predictions", "run", "--vessel", "1"), "--vessel: goes with formats that have labels"),
    (("import", "theirs", "--into", "run", "--name", "a/b"), "name: expected"),
    (("import", "theirs", "--into", "run", "--name", "a", "--as", "nifti", "--values", "mask"), "--values: goes with"),
    (("predict", "--model", "frangi", "--case-list", "lost"), "--case-list lost: expected an existing"),
    (("refseg", "--model", "theirs"), "config.json"),
    (("evaluate", "--predictions", "unfinished"), "unfinished"),
    (("evaluate", "--predictions", "run", "--name", "a", "--name", "b"), "names: expected a different one"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=lambda given: " ".join(given) if type(given) is tuple else "")
def test_before_the_data_set_is_opened(call, place, words, said):
    output = "page.html" if words[0] == "review-page" else "new"
    ended = call(*words, "--data", "data", "--output", output)
    assert ended.code in {2, 3} and said in ended.err and "dataset.json" not in ended.err
    assert not (place / output).exists()


def test_the_review_looks_for_its_run_first(call, place):
    ended = call("review", "lost", "--data", "data", "--no-browser")
    assert ended.code == 2 and "RUN lost: expected an existing" in ended.err


STRAYS = [
    (("--rate", "5"), "--beside, --sequences, --rate: go with --films"),
    (("--n", "2", "--cases", "P01"), "--n: --cases says which frames"),
    (("--films", "--n", "2"), "leave --cases, --sort and --n out"),
]
WITHOUT_A_RUN = [("--metrics", "scores"), ("--prompt-id", "p1"), ("--sort", "natural")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *((("run", *given), said) for given, said in STRAYS),
        *((given, "--metrics, --prompt-id, --sort: go with a RUN") for given in WITHOUT_A_RUN),
    ],
)
def test_an_option_that_plays_no_part_is_no_option_that_is_passed_over(call, place, words, said):
    ended = call("visualize", *words, "--data", "data", "--output", "new")
    assert ended.code == 2 and said in ended.err
