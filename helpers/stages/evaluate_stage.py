"""Runs and the ground truth of a data set become a metrics folder.

The data set is opened here; `helpers.evaluation.evaluate` takes it opened.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.core.errors import UsageProblem
from helpers.core.given_values import GivenPath, Spelling, input_path, optional_input_path, output_folder
from helpers.data.opening import Opening, opening_of
from helpers.evaluation.evaluate import Evaluation
from helpers.evaluation.evaluate import evaluate as score_runs
from helpers.evaluation.metrics_folder import check_output
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.metrics.intervals import DRAWS, SEED
from helpers.metrics.postprocessing import Processing
from helpers.runs.run_folder import Run

GivenRun = GivenPath | Run


@dataclass(frozen=True)
class EvaluateRequest:
    """What an evaluation is asked for, as people give it; the fields are the parameters of `evaluate`.

    Attributes:
        opening: how the data set is opened.
        spell: how the caller writes the name of a parameter, for messages.
    """

    runs: Sequence[GivenRun]
    opening: Opening
    output: GivenPath
    names: Sequence[str] | None = None
    prompt: str | None = None
    training: GivenPath | None = None
    exclude_training: bool = False
    development: GivenPath | None = None
    close_gaps: int = 0
    remove_small: int = 0
    groups: str | None = None
    processes: int = 2
    seed: int = SEED
    draws: int = DRAWS
    spell: Spelling = field(default=str, repr=False)

    def run(self, told: Callable[[str], None] | None = None) -> Evaluation:
        """Score the runs. Raises as `evaluate`.

        Args:
            told: gets the notes of the data set before the cases are scored; its rules are logged.
        """
        spell = self.spell
        if self.processes < 1:
            raise UsageProblem(f"{spell('processes')}: expected at least 1, got {self.processes}")
        folders = [one.folder if isinstance(one, Run) else input_path(one, spell("runs")) for one in self.runs]
        training = optional_input_path(self.training, spell("training"))
        development = optional_input_path(self.development, spell("development"))
        processing = Processing(close_gaps=self.close_gaps, remove_small=self.remove_small)
        folder = output_folder(self.output, spell("output"), self.opening.data)
        check_output(folder)
        open_scored_runs(folders, self.names, self.prompt)  # refuses before the data set is opened
        dataset = self.opening.open_to_score()
        for note in dataset.notes:
            if told is not None and note not in dataset.rules_notes:
                told(note)
        return score_runs(
            folders,
            dataset,
            folder,
            names=self.names,
            prompt=self.prompt,
            training=training,
            exclude_training=self.exclude_training,
            development=development,
            processing=processing if processing.active else None,
            groups=self.groups,
            processes=self.processes,
            seed=self.seed,
            draws=self.draws,
        )


def evaluate(
    runs: GivenRun | Sequence[GivenRun],
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    prompt: str | None = None,
    training: str | os.PathLike[str] | None = None,
    exclude_training: bool = False,
    development: str | os.PathLike[str] | None = None,
    close_gaps: int = 0,
    remove_small: int = 0,
    groups: str | None = None,
    processes: int = 2,
    seed: int = SEED,
    draws: int = DRAWS,
    **rules: Any,
) -> Evaluation:
    """Score finished runs against the ground truth of a data set, as `vesselkit evaluate` does.

    Args:
        runs: a run, as `predict` returns it, or its folder; or several, the one that the evaluation is about first, the
            others compared with it on the same cases.
        data: the data set of the runs, with ground truth.
        output: folder to write; an earlier evaluation in it is replaced.
        names: of the runs in all tables; None takes their folders' names.
        prompt: id of the prompt to score, such as `p1`; None scores each.
        training: images that the models were trained on: names, annotations, or the training config; None for what
            `convert` kept on this machine.
        exclude_training: score no patient of whom training saw frames; they are counted.
        development: evaluation of the same model on other patients, to choose a threshold on; None for
            cross-validation.
        close_gaps: radius in pixels of a disk whose closing of gaps is measured, which bridges occlusions too; 0 for
            none.
        remove_small: pixels below which the dropping of pieces is measured; 0 for none.
        groups: column of a CSV file beside the data, or `view` or `vendor` of DICOM headers, for scores by group;
            None for none.
        processes: at most so many score cases, one for each 200; at least 1.
        seed, draws: of p-values by random sign flips, and of the bootstrap interval of the ECE.
        **rules: how the data set is opened: layout, ids (`keep` or `pseudonym`), id_key, group_by, split, rescale,
            rescale_from.

    Returns:
        What was written: `text` for people, `summary` as `summary.json` holds it, and `score("dice")`: one number with
        its 95 % interval, the cases and the patients that it rests on.

    Raises:
        UsageProblem: for parameters that cannot work.
        RefusedInput: where runs and data set do not go together, or a ground truth cannot be drawn.

    Example:
        >>> import vesselkit
        >>> found = vesselkit.evaluate("demo-run", "demo-data", "demo-scores", processes=1)
        >>> dice = found.score("dice")
        >>> 0 <= dice.mean <= 1, dice.n_cases, dice.n_patients, dice.low  # no interval from two patients
        (True, 4, 2, None)
        >>> print(found.text.splitlines()[0])
        # Evaluation
    """
    return EvaluateRequest(
        [runs] if isinstance(runs, str | os.PathLike | Run) else list(runs),
        opening_of(data, **rules),
        output,
        names=names,
        prompt=prompt,
        training=training,
        exclude_training=exclude_training,
        development=development,
        close_gaps=close_gaps,
        remove_small=remove_small,
        groups=groups,
        processes=processes,
        seed=seed,
        draws=draws,
    ).run()
