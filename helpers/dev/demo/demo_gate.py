"""`python -m helpers.dev.demo.demo_gate`: hold scores and logits of `make demo` against recorded ones, case by case."""

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from helpers.core.atomic import write_bytes_atomic
from helpers.core.paths import Stage, latest_complete
from helpers.dev.demo.demo_pipeline import LOGITS, SCORES, default_output
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import Findings, check, read_baseline, scores_of, write_baseline
from helpers.notebook.pipeline.steps import MODEL_RUN
from helpers.runs.run_folder import Run, open_run

STRIDE = 16  # of the recorded logits, in pixels of their grid
# Stored logits are float16 and processors add in different orders; a wrong weight changes them by far more.
LOGIT_TOLERANCE = 0.1
CASE_TOLERANCE, MEAN_TOLERANCE = 0.02, 0.002


def sampled_logits(run: Run) -> dict[str, np.ndarray]:
    """Case id -> (S, h / 16, w / 16) float16, of the first prompt; no row where the model gave no `[SEG]`."""
    found = {}
    for case_id in run.cases():
        stored = run.logits(case_id, next(iter(run.prompts)))
        found[case_id] = np.zeros((0, 1, 1), np.float16) if stored is None else stored.logits[:, ::STRIDE, ::STRIDE]
    return found


def compare_logits(recorded: dict[str, np.ndarray], now: dict[str, np.ndarray]) -> Findings:
    """Which cases have other logits than recorded."""
    problems, largest = [], 0.0
    for case_id, before in recorded.items():
        after = now.get(case_id)
        if after is None or after.shape != before.shape:
            shape = "none" if after is None else after.shape
            problems.append(f"{case_id}: expected logits of shape {before.shape}, got {shape}")
            continue
        difference = float(np.abs(after.astype(np.float32) - before.astype(np.float32)).max(initial=0))
        largest = max(largest, difference)
        if not difference <= LOGIT_TOLERANCE:  # NaN is none either
            problems.append(f"{case_id}: logits differ by {difference:.3g}, more than {LOGIT_TOLERANCE}")
    note = f"logits of {len(recorded)} cases compared, largest difference {largest:.3g}"
    return Findings(tuple(problems), (note,))


def read_logits(path: Path) -> dict[str, np.ndarray]:
    """What `write_logits` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_logits(path: Path, logits: dict[str, np.ndarray]) -> None:
    """Record sampled logits."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **logits)  # type: ignore[arg-type]  # one name of NumPy's is a bool
    write_bytes_atomic(path, buffer.getvalue())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.dev.demo.demo_gate", description=__doc__)
    parser.add_argument("--update", action="store_true", help="record these results instead")
    project = str(default_output())
    scores = scores_of(open_metrics(latest_complete(project, Stage.EVALUATE)))
    logits = sampled_logits(open_run(default_output() / Stage.PREDICT.value / MODEL_RUN))
    if parser.parse_args().update:
        write_baseline(SCORES, scores)
        write_logits(LOGITS, logits)
        print(f"{len(logits)} cases recorded in {SCORES.parent}")
        return 0
    found = (
        check(read_baseline(SCORES), scores, case_tolerance=CASE_TOLERANCE, mean_tolerance=MEAN_TOLERANCE),
        compare_logits(read_logits(LOGITS), logits),
    )
    print("\n".join(one.to_text() for one in found))
    return 0 if all(one.passed for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
