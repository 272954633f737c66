"""Options for opening a data set, in the plain words of commands, notebook parameters and configs."""

import logging
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from helpers.core.errors import UsageProblem
from helpers.core.given_values import input_path, typed_path
from helpers.core.vocabulary import AskedIds
from helpers.data.dataset import Dataset, open_dataset
from helpers.data.exported_masks import read_exported, require_true_masks
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.layouts.detection import dataset_root, saved_rules
from helpers.data.rules import Rules, Saved, with_trial
from helpers.data.truth.other_frame import parse_size

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """What `open_dataset` is asked for; None leaves the choice to the data set.

    Attributes:
        data: folder or annotation file. It may carry a name: never to be logged or written to a result.
        ids: `keep` or `pseudonym`.
        rescale_from: `WIDTHxHEIGHT` in pixels.
        layout, id_key, group_by, split, rescale: as for `open_dataset`.
    """

    data: Path = field(repr=False)
    layout: str | None = None
    ids: str | None = None
    id_key: Path | None = field(default=None, repr=False)
    group_by: str | None = None
    split: str | None = None
    rescale: bool = False
    rescale_from: str | None = None

    def open(self, tried: Rules | None = None) -> Dataset:
        """The data set. What its rules are is logged.

        Args:
            tried: as for `open_dataset`. Where rules are tried, nothing is logged: the report on them says it.
        Raises:
            UsageProblem: for words that mean nothing, and as `open_dataset`.
            RefusedInput: as `open_dataset`.
        """
        if self.ids not in (None, *AskedIds):
            raise UsageProblem(f"ids: expected {' or '.join(AskedIds)}, got {self.ids!r}")
        opened = open_dataset(
            self.data,
            layout=self.layout,
            ids=None if self.ids is None else IdPolicy(self.ids),
            id_key=self.id_key,
            group_by=self.group_by,
            split=self.split,
            rescale=self.rescale,
            rescale_from=None if self.rescale_from is None else parse_size(self.rescale_from),
            tried=tried,
        )
        for note in opened.rules_notes if tried is None else ():
            _log.info(note)
        return opened

    def open_to_score(self) -> Dataset:
        """The data set, whose masks are to be scored with or trained on. Raises as `open`.

        Predictions and pairs are refused before their folder gets a key of ids.
        """
        root = dataset_root(self.data)
        require_true_masks(root, read_exported(root))
        return self.open()

    def to_keep(self, opened: Dataset, tried: Rules) -> Rules:
        """The rules to save: those of the data set's own, what was asked for, what was found for certain.

        Found are the depth of the frames and the layout of a folder. That of an annotation file is the file's own, and
        plain images are found again each time: kept, they would make frames of masks that are added later.

        Args:
            tried: as for `open`.
        """
        given = Rules(layout=self.layout, ids=None if self.ids is None else IdPolicy(self.ids), group_by=self.group_by)
        rules = with_trial(Saved(saved_rules(opened.root).own), replace(tried, **given.decided()))
        if rules.layout is None and opened.layout != "images" and self.data.is_dir():
            rules = replace(rules, layout=opened.layout)
        bits = opened.depth.bits if opened.rules.bits is None else rules.bits
        return rules if bits is None else replace(rules, bits=bits)


def opening_of(data: str | os.PathLike[str], **rules: Any) -> Opening:
    """How a data set is opened, by the parameters of a function.

    Args:
        data: folder, annotation file, one image, DICOM or video.
        rules: other fields of `Opening` by name.
    Raises:
        UsageProblem: where nothing is at the path, or there is no such rule.
    """
    known = [one.name for one in fields(Opening) if one.name != "data"]
    strays = sorted(rules.keys() - set(known))
    if strays:
        raise UsageProblem(f"{strays[0]}: no such parameter; those of the data set are {', '.join(known)}")
    if rules.get("id_key") is not None:
        rules["id_key"] = typed_path(rules["id_key"])
    return Opening(input_path(data, "data"), **rules)
