"""All mask files of a data set looked at together: what values mean is decided for the set, not for each file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.core.progress import track
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.truth.mask_file import Undecided, draw, read_plane
from helpers.data.truth.mask_values import DECIDE, Found, Judgement, ValueChoice, judge, look, shares


class MaskSurvey:
    """The values of a data set's mask files. They are read when they are first asked for, and judged once."""

    def __init__(self, paths: Sequence[Path], choice: ValueChoice):
        """Nothing is read yet.

        Args:
            paths: of all mask files of the data set.
            choice: what was decided about their values.
        """
        self.choice = choice
        self._paths = tuple(paths)
        self._judgement: Judgement | None = None

    @property
    def judgement(self) -> Judgement:
        """What the values of all files together are. A file that cannot be read plays no part: its case says so."""
        if self._judgement is None:
            self._judgement = self._judged()
        return self._judgement

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the judgement in place of the paths, so that no process reads all files again."""
        return {"choice": self.choice, "_paths": (), "_judgement": self.judgement}

    def _judged(self) -> Judgement:
        files: list[Found] = []
        raw: list[Found] = []
        named: set[str] = set()
        refusals: list[str] = []
        for path in track(self._paths, "mask values", unit="file"):
            try:
                plane = read_plane(path)
            except UnreadableImage:
                continue
            raw.append(look(plane.values, plane.names))
            try:
                drawn = draw(plane, self.choice)
            except Undecided as error:
                refusals.append(str(error))
                files.append(raw[-1])
                continue
            files.append(drawn.found)
            named |= drawn.named
        absent = [name for name in self.choice.named if name not in named]
        notes = tuple(f"{name} was decided upon and is in no mask" for name in absent)
        highest = max((file.high for file in files if file.high == file.high), default=0.0)
        if self.choice.vessel and raw and not named & set(self.choice.vessel):
            listed = ", ".join(self.choice.vessel)
            said = refusals[0] if refusals else f"expected vessel as {listed} in the masks, found none of these"
            return Judgement(f"{said}: {shares(raw)}. {DECIDE}")
        if self.choice.vessel or self.choice.values:
            return Judgement(None, notes, highest=highest)
        judged = judge(files, DECIDE)
        return replace(judged, notes=(*judged.notes, *notes), highest=highest)
