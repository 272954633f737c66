"""The most suspicious cases of an audit in one picture."""

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.core.atomic import write_bytes_atomic
from helpers.core.errors import RefusedInput
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.review.figures.figure_file import png_bytes
from helpers.review.figures.mask_drawing import contour

_COLUMNS = 4
_MOST = 12
_INCHES = 3.0
_DPI = 110
_RED = (1.0, 0.0, 0.0)
_LINE = 40  # characters
_WEIGHT = {AuditSeverity.ERROR: 10_000, AuditSeverity.WARNING: 100, AuditSeverity.NOTE: 0}


def save_suspicious_sheet(findings: Sequence[AuditFinding], cases: Sequence[Case], output: Path) -> None:
    """Write `suspicious_sheet` as contact_sheet.png into a folder; where no case is suspicious, an earlier one goes."""
    sheet, path = suspicious_sheet(findings, cases), output / "contact_sheet.png"
    if sheet is None:
        path.unlink(missing_ok=True)
    else:
        write_bytes_atomic(path, sheet)


def suspicious_sheet(findings: Sequence[AuditFinding], cases: Sequence[Case]) -> bytes | None:
    """PNG of the cases with the gravest findings: the outline of the truth in red, the first reason as title.

    Args:
        findings: gravest first.
    Returns:
        None where no case has an error or warning.
    """
    reasons: dict[str, list[AuditFinding]] = defaultdict(list)
    for finding in findings:
        if finding.case_id is not None and finding.severity is not AuditSeverity.NOTE:
            reasons[finding.case_id].append(finding)
    by_weight = sorted(reasons, key=lambda case_id: -sum(_WEIGHT[finding.severity] for finding in reasons[case_id]))
    by_id = {case.case_id: case for case in cases}
    chosen = [case_id for case_id in by_weight if case_id in by_id][:_MOST]
    if not chosen:
        return None
    rows = -(-len(chosen) // _COLUMNS)
    figure = Figure(figsize=(_COLUMNS * _INCHES, rows * (_INCHES + 0.6)), dpi=_DPI, layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, case_id in zip(axes, chosen, strict=False):
        reason = textwrap.wrap(reasons[case_id][0].what, _LINE, max_lines=2, placeholder=" …")
        axis.set_title("\n".join([case_id, *reason]), fontsize=7, parse_math=False)
        _draw(axis, by_id[case_id])
    return png_bytes(figure)


def _draw(axis: Axes, case: Case) -> None:
    try:
        frame = np.array(read_frame(case.frame.path, case.frame.index, case.frame.bits), dtype=np.float32) / 255.0
    except RefusedInput:
        axis.text(0.5, 0.5, "cannot be read", transform=axis.transAxes, ha="center", va="center", fontsize=9)
        return
    if case.truth is not None:
        try:
            frame[contour(case.truth.mask(frame.shape[1], frame.shape[0]))] = _RED
        except RefusedInput:
            axis.text(
                0.5, 0.02, "truth cannot be drawn", transform=axis.transAxes, ha="center", color="red", fontsize=7
            )
    axis.imshow(frame, interpolation="nearest")
