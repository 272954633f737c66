"""A model folder before it is handed on: what its files tell of people and machines, and its scores on its card.

Nothing is sent anywhere. The report ends with the line of the hub's own client, to be given by hand.
"""

import getpass
import platform
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.checkpoints.convert.conversion_record import RECORD_NAME, ConversionRecord, read_record
from helpers.checkpoints.convert.model_card import CardPart, write_part
from helpers.checkpoints.private_traces import Trace, files_of, in_name, links_of, text_of, traces_in
from helpers.checkpoints.verify import card_findings, file_findings
from helpers.core.card_parts import CARD_NAME
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted, markdown_table, printable
from helpers.data.groups.name_parts import words_of
from helpers.data.ids.id_key import machine_key_path
from helpers.evaluation.edit_distance import edit_distance_of
from helpers.evaluation.equal_masks import equal_masks_of, is_copy
from helpers.evaluation.headline import headline
from helpers.evaluation.leakage.kept_names import key_of, read_kept
from helpers.evaluation.leakage.name_marks import ends_of, hashed
from helpers.evaluation.leakage.standing import title_of
from helpers.evaluation.markdown import count_text, escaped, interval_text, is_unknown, stands_beside
from helpers.evaluation.metrics_folder import Metrics, open_metrics
from helpers.metrics.definitions import BY_METRIC, HEADLINE
from helpers.metrics.intervals import FEWEST_FOR_INTERVAL, FEWEST_UNITS

# Names that many machines and users have say nothing of anybody.
_PLAIN_NAMES = frozenset(
    (
        "root",
        "user",
        "users",
        "home",
        "ubuntu",
        "debian",
        "admin",
        "administrator",
        "runner",
        "runneradmin",
        "jovyan",
        "docker",
        "vagrant",
        "nobody",
        "guest",
        "test",
        "demo",
        "work",
        "data",
        "model",
        "models",
        "base",
        "main",
        "local",
        "localhost",
        "lab",
        "conda",
        "python",
        "github",
    )  # fmt: skip
)
_LEAST_LETTERS = 3
_MOST_SHOWN = 40


@dataclass(frozen=True)
class PublishReport:
    """What a check before handing on found.

    Attributes:
        folder: as it was given.
        checked: one line for each thing that was looked for.
        findings: one line for each thing that is to be mended.
    """

    folder: Path
    checked: tuple[str, ...]
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def upload_line(self) -> str:
        """The line of the hub's own client."""
        return shlex.join(["hf", "upload", "USER/NAME", str(self.folder), "."])

    def to_text(self) -> str:
        """For a person; the upload line only where nothing was found."""
        verdict = "nothing found that should stay here" if self.ok else counted(len(self.findings), "finding")
        lines = [f"{self.folder.name}: {verdict}", *(f"  checked: {line}" for line in self.checked)]
        lines += [f"  FINDING: {line}" for line in self.findings[:_MOST_SHOWN]]
        if len(self.findings) > _MOST_SHOWN:
            lines.append(f"  ... and {counted(len(self.findings) - _MOST_SHOWN, 'more finding')}")
        if self.ok:
            lines.append(
                "Read the card before you hand it on: no search knows every name. Then, by the hub's own client:"
            )
            lines.append(self.upload_line)
        return "\n".join(lines)


def publish_check(folder: Path, scores: Path | None = None) -> PublishReport:
    """Look through every text file of a model folder for what should not be handed on.

    Args:
        folder: that `convert` wrote.
        scores: a metrics folder whose first run is of this model: written into the card before the check.
    Raises:
        RefusedInput: for a folder without a record, and scores of another model or that cannot be read.
        OSError: where the card cannot be written.
    """
    record = read_record(folder)
    if scores is not None:
        write_part(folder, CardPart.SCORES, scores_text(open_metrics(scores), record.values["tensors_sha256"]))
    is_image, images = _training_names(record.values["tensors_sha256"])
    own_names = _own_names()
    findings, texts = [], 0
    paths = files_of(folder)
    for number, path in enumerate(paths, 1):
        told = in_name(path, own_names, is_image)
        findings += [
            f"the name of file {number} of {len(paths)}, in the order of the alphabet, tells {kind}. Rename it"
            for kind in told
        ]
        text, name = text_of(folder / path), path.as_posix()
        shown = f"file {number} of {len(paths)}" if told else _shown(path)
        if text is not None:
            texts += 1
            findings += [_told(trace, shown, record) for trace in traces_in(name, text, own_names, is_image)]
        elif name not in record.values["outputs"]:
            findings.append(
                f"{shown}: neither a text in UTF-8 nor a file of the export. Look at it; take it away, or save it so"
            )
    for path in links_of(folder):
        shown = "with a name that tells of somebody" if in_name(path, own_names, is_image) else _shown(path)
        findings.append(
            f"a link {shown}: it leads to a folder, to nothing, or by an absolute path. Put that itself here"
        )
    if not (folder / CARD_NAME).is_file():
        findings.append(f"{CARD_NAME}: no model card. Folders of earlier versions have none: convert again")
    findings += [f"{line}. Convert again" for line in file_findings(record)]
    findings += card_findings(record)
    checked = (
        f"{counted(texts, 'file')} for paths, mail addresses, keys, names of patients, this machine and its user",
        images,
        f"{counted(len(record.values['outputs']), 'file')} of the export by sha256, against the record",
    )
    return PublishReport(folder, checked, tuple(findings))


def scores_text(metrics: Metrics, tensors_sha256: str) -> str:
    """The part of a card on scores: each with its cases, patients and interval, and with the model's fingerprint.

    Ids of cases and patients are left out.

    Raises:
        RefusedInput: where the first run of the evaluation is not of this model.
    """
    summary = metrics.summary
    run = summary["runs"][0]
    scored = (run.get("model") or {}).get("tensors_sha256")
    if scored != tensors_sha256:
        raise RefusedInput(
            f"{metrics.folder}: expected scores of the model with tensors_sha256 {tensors_sha256}, found "
            f"{'scores of something without weights' if scored is None else f'those of {scored}'} as its first run. "
            "Evaluate a run of this model as --predictions"
        )
    lines = [
        escaped(headline(summary)),
        "",
        f"* Model: `tensors_sha256` `{scored}`. Prompt: {escaped(run['prompt'])} Threshold: {run['threshold']:g}.",
        f"* Scored: {_whose(summary, run)}. Predictions: configuration `{run['config_sha256']}`.",
    ]
    warnings = len(summary["warnings"])
    if warnings:
        lines.append(f"* The evaluation gave {counted(warnings, 'warning')}, which stand in its own `summary.md`.")
    if edit_distance_of(summary, run["name"]) is not None or is_copy(equal_masks_of(summary, run["name"])):
        return "\n".join(lines)  # which are no scores of quality
    rows = [row for row in run["summary"] if row["metric"] in HEADLINE and not is_unknown(row["mean"])]
    table = markdown_table(("metric", "mean [95 % interval]", "rests on"), [_score_row(row) for row in rows])
    return "\n".join([*lines, "", f"{table}\nMeans of patient means. Intervals: {interval_text(rows)}."])


def _whose(summary: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    title = title_of(summary, run["name"])
    return title if "unknown" in title else f"frames of {title}"


def _score_row(row: Mapping[str, Any]) -> list[str]:
    """A metric's row. Too few units have no interval; their own means, which name them, are left out."""
    interval = (
        f"no interval from {counted(row['n_units'], row['unit'])}, of at least {FEWEST_FOR_INTERVAL}"
        if is_unknown(row["low"])
        else f"[{row['low']:.3f}, {row['high']:.3f}]"
    )
    few = [f"fewer than {FEWEST_UNITS} {row['unit']}s"] if row["few"] else []
    notes = "".join(f", {note}" for note in [*stands_beside(row), *few])
    metric = BY_METRIC[row["metric"]]
    title = metric.title if metric.unit == "1" else f"{metric.title} [{metric.unit}]"
    return [title, f"{row['mean']:.3f} {interval}{notes}", count_text(row)]


def _shown(path: Path) -> str:
    """A file's name on one line."""
    return re.sub(r"\s", " ", printable(path.as_posix()))


def _told(trace: Trace, shown: str, record: ConversionRecord) -> str:
    """A finding, and what to do where the file stands; `shown` stands for the file's name, which may itself tell."""
    place = f"{shown}, line {trace.line}, column {trace.column}"
    if trace.file == RECORD_NAME:
        where = "in the file that the record is of, and convert again"
    elif trace.file in record.values["outputs"]:
        where = "in the base's folder, and convert again: this file has a hash in the record"
    else:
        where = "here"
    return f"{place}: {trace.kind}. {trace.kind.advice} {where}"


def _own_names() -> re.Pattern[str] | None:
    """This machine's name and its user's, as whole words; None where both are plain words."""
    names = {getpass.getuser(), Path.home().name, platform.node().partition(".")[0]}
    told = [name for name in names if len(name) >= _LEAST_LETTERS and name.casefold() not in _PLAIN_NAMES]
    if not told:
        return None
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(told)))})(?![\w-])", re.IGNORECASE)


def _training_names(tensors_sha256: str) -> tuple[Callable[[str], bool], str]:
    """Whether a word names a training image or its patient, by the hashes that `convert` kept; and what was asked."""
    kept = read_kept(tensors_sha256)
    key = None if kept is None else key_of(kept, [machine_key_path()])
    if kept is None or key is None:
        return (lambda word: False), "names of training images: not looked for, none are kept on this machine"
    mark = hashed(key)
    names = {marks.ends[0] for marks in kept.names if marks.ends} | {one for marks in kept.names for one in marks.words}
    return (
        lambda word: not names.isdisjoint((*ends_of(word, mark), *map(mark, words_of(word))))
    ), f"names of {counted(len(kept.names), 'training image')}, by their hashes on this machine"
