"""`python -m helpers.demo`: the main job, end to end, on a tiny model trained on synthetic angiograms."""

import argparse
import logging
import sys

from helpers.demo.files import STAMP
from helpers.demo.pipeline import remove_results, run_demo
from helpers.errors import VesselkitError
from helpers.pipeline.report import beginning_text, closing_text, step_text
from helpers.system import ended_as_by_interrupt, told_in_words

NOTICE = f"Demo: {STAMP}. Not for clinical use."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.demo", description=f"{__doc__} {NOTICE}")
    parser.add_argument("--fresh", action="store_true", help="remove earlier results of the demo first")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    print(NOTICE)
    try:
        with ended_as_by_interrupt(), told_in_words():
            _run(arguments.fresh)
    except VesselkitError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)


def _run(fresh: bool) -> None:
    if fresh:
        remove_results()
    steps = []
    for step in run_demo(lambda name: print(beginning_text(name), flush=True)):
        steps.append(step)
        print(step_text(step), flush=True)
    print(closing_text(steps))
    print(NOTICE)


if __name__ == "__main__":
    main()
