"""`python -m helpers.demo`: the main job, end to end, on a tiny model made here."""

import argparse
import logging

from helpers.demo.pipeline import remove_results, run_demo
from helpers.notebook.session import shown_path

NOTICE = "A tiny model, fitted for a minute to drawn tubes. Its masks mean nothing clinically."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.demo", description=f"{__doc__} {NOTICE}")
    parser.add_argument("--fresh", action="store_true", help="remove earlier results of the demo first")
    parser.add_argument("--seed", type=int, default=0, help="of the fit")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    print(NOTICE)
    if arguments.fresh:
        remove_results()
    for part in run_demo(seed=arguments.seed):
        print(f"{part.name:11s} {part.seconds:6.1f} s  {shown_path(part.result)}")
    print(
        "4-panel pictures are in the panels folder of 02_infer, the report is evaluation.html of 03_evaluate; "
        "the executed notebooks are in outputs/demo/notebooks"
    )
    print(NOTICE)


if __name__ == "__main__":
    main()
