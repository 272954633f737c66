"""`python -m tests.support.fixture_maker FOLDER`: build the tests' tiny checkpoint with its recorded outputs."""

import argparse
import logging
import tempfile
from pathlib import Path

from helpers.checkpoints.convert import ConversionRequest, convert
from tests.support.fixture_maker.checkpoint import build_checkpoint
from tests.support.fixture_maker.internlm2 import build_internlm2
from tests.support.fixture_maker.qwen3_vl import build_qwen3_vl
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
    parser.add_argument("--qwen3vl", type=Path, metavar="FIXTURE", help="build that of Qwen3-VL for this fixture")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if arguments.internlm2 is not None:
        build_internlm2(arguments.folder, arguments.internlm2, arguments.seed)
    elif arguments.qwen3vl is not None:
        build_qwen3_vl(arguments.folder, arguments.qwen3vl, arguments.seed)
    else:
        build_fixture(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
