"""The vesselness baseline out of fold: tuned on four folds, scored on the fifth, for each of five.

Folds hold whole patients (sequences, else cases, where patients are unknown). Run:
python -m helpers.dev.measure.frangi_folds DATASET --output DIR
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.data.cases import Case
from helpers.data.dataset import Dataset, open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import natural_key
from helpers.evaluation.case_arrays import score_many
from helpers.evaluation.frangi_tuning import candidates, choose, dice_curves, unit_table
from helpers.evaluation.score_table import pooled, scores_table, summary, unit_keys
from helpers.metrics.case_scores import CaseArrays
from helpers.prediction.frangi import FrangiSettings, grey_values, to_logits, vesselness

HEADLINE = ("dice", "iou", "precision", "recall", "cldice", "nsd_2px", "hd95_px", "pr_auc")


def fold_numbers(units: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """The fold of each case, int (n,): units are dealt out in random order, and folds differ by one at most.

    Args:
        units: of each case; the order of their first cases counts, so give cases in an order that stays.
    """
    names = list(dict.fromkeys(units))
    dealt = dict(zip(np.random.default_rng(seed).permutation(names), np.arange(len(names)) % folds, strict=True))
    return np.array([dealt[unit] for unit in units])


def predicted(keyed: tuple[Case, FrangiSettings]) -> CaseArrays:
    """The arrays to score of a case under settings that did not see it."""
    case, settings = keyed
    if case.truth is None:
        raise ValueError(f"{case.case_id}: expected a ground truth, found none")
    image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
    logits = to_logits(vesselness(grey_values(image), settings), settings.threshold)
    return CaseArrays(
        case_id=case.case_id,
        truth=case.truth.mask(image.width, image.height),
        prediction=logits > 0,
        sequence=case.frame.sequence,
        patient=case.frame.patient,
        logits=logits,
        logits_expected=True,
    )


def out_of_fold(dataset: Dataset, folds: int, seed: int, processes: int) -> tuple[pd.DataFrame, list[str]]:
    """Scores of every case with ground truth, with its fold; and a line on what each fold chose.

    Raises:
        RefusedInput: where a patient is sealed.
    """
    dataset.require_unsealed("the choice of settings")
    # By the files' names, so that the dealing does not depend on the key of ids.
    cases = [case for case in dataset.cases if case.truth is not None]
    cases.sort(key=lambda case: natural_key(dataset.people.by_case[case.case_id].name))
    listed = unit_table(cases)
    numbers = fold_numbers(list(unit_keys(listed)), folds, seed)
    curves = dice_curves(cases, candidates(), processes=processes)
    chosen, lines = {}, []
    for fold in range(folds):
        rest = numbers != fold
        choice = choose(curves[rest], listed[rest])
        chosen[fold] = choice.settings
        lines.append(
            f"fold {fold + 1}: {json.dumps(choice.settings.to_json())}, Dice {choice.dice:.4f} on {rest.sum()} cases"
        )
    keyed = [(case, chosen[fold]) for case, fold in zip(cases, numbers, strict=True)]
    table = scores_table(score_many(predicted, keyed, processes))
    return table.assign(fold=numbers + 1), lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--id-key", type=Path)
    parser.add_argument("--group-by")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    dataset = open_dataset(asked.dataset, id_key=asked.id_key, group_by=asked.group_by)
    with partial_folder(asked.output) as folder:
        table, lines = out_of_fold(dataset, asked.folds, asked.seed, asked.processes)
        rows = pd.concat([summary(table), pooled(table)], ignore_index=True)
        table.to_parquet(folder / "metrics.parquet")
        rows.to_csv(folder / "summary.csv", index=False)
        write_text_atomic(folder / "folds.txt", "\n".join(lines) + "\n")
    print("\n".join(lines))
    shown = rows[rows["metric"].isin([*HEADLINE, "ciou", "giou"])]
    print(shown[["metric", "mean", "low", "high", "n_units"]].to_string(index=False, float_format="%.4f"))
    known = "" if rows["independent"].all() else "; whether they are independent is unknown"
    print(f"95 % intervals over {rows['unit'].iloc[0]}s{known}; {len(table)} cases, {asked.folds} folds")


if __name__ == "__main__":
    main()
