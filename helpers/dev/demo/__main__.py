"""`python -m helpers.dev.demo`: the main job, end to end, on a tiny model trained on synthetic angiograms."""

import argparse
import logging
import sys

from helpers.core.errors import VesselkitError, exit_as_interrupted, explain_os_errors
from helpers.core.terminal import Terminal


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.dev.demo", description=f"{__doc__} Not for clinical use.")
    parser.add_argument("--fresh", action="store_true", help="remove earlier results of the demo first")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with exit_as_interrupted(), explain_os_errors(), Terminal(sys.stderr).at_work("demo"):
            _run(arguments.fresh)
    except VesselkitError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)


def _run(fresh: bool) -> None:
    # Here, since these take seconds, in which the terminal is to show life.
    from helpers.dev.demo.demo_pipeline import STAMP, remove_results, run_demo
    from helpers.notebook.pipeline.pipeline_report import beginning_text, closing_text, step_text

    notice = f"Demo: {STAMP}. Not for clinical use."
    print(notice, flush=True)
    if fresh:
        remove_results()
    steps = []
    for step in run_demo(lambda beginning: print(beginning_text(beginning), flush=True)):
        steps.append(step)
        print(step_text(step), flush=True)
    print(closing_text(steps))
    print("next: `make review` opens the review of these masks, `make lab` the notebooks")
    print(notice)


if __name__ == "__main__":
    main()
