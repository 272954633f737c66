"""`python -m tests.support.fixture_maker FOLDER`: build the tests' tiny checkpoint with its recorded outputs."""

import argparse
import logging
import tempfile
from pathlib import Path

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.families import FAMILIES
from tests.support.fixture_maker.checkpoint import build_checkpoint
from tests.support.fixture_maker.internlm2 import build_internlm2
from tests.support.fixture_maker.qwen_vl import RECIPES, build_qwen_vl
from tests.support.fixture_maker.recording import record_outputs


def build_fixture(folder: Path, seed: int = 0) -> None:
    """Write checkpoint, bases, images and recorded outputs to `folder`, which must not exist."""
    built = build_checkpoint(folder, seed)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        convert(
            ConversionRequest(built.checkpoint, model, built.base, built.sam2, str(built.sam2_sizes), dtype="float32")
        )
        record_outputs(model, folder / "images", folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.fixture_maker", description=__doc__)
    parser.add_argument("folder", type=Path, help="to write; it must not exist")
    parser.add_argument("--seed", type=int, default=0, help="of the fit")
    parser.add_argument("--internlm2", type=Path, metavar="FIXTURE", help="build that of InternLM2 for this fixture")
    for name, recipe in RECIPES.items():
        title = FAMILIES[recipe.family].title
        parser.add_argument(f"--{name}", type=Path, metavar="FIXTURE", help=f"build that of {title} for this fixture")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    of_qwen = [(recipe, given) for name, recipe in RECIPES.items() if (given := getattr(arguments, name)) is not None]
    if arguments.internlm2 is not None:
        build_internlm2(arguments.folder, arguments.internlm2, arguments.seed)
    elif of_qwen:
        ((recipe, other),) = of_qwen
        build_qwen_vl(recipe, arguments.folder, other, arguments.seed)
    else:
        build_fixture(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
