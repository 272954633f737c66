"""Data sets of names alone: what is known of patients, without an image."""

from pathlib import Path

from helpers.data.cases import Case, Record
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame
from helpers.data.groups.grouping import group
from helpers.data.ids.case_ids import IdPolicy, keep_original_names
from helpers.data.ids.patient_names import patient_names

HERE = Path("/data")


def named_dataset(
    *names: str, rule: str | None = None, root: Path = HERE, scored: int | None = None, **values
) -> Dataset:
    """A data set with kept ids.

    Args:
        rule: as `--group-by`.
        root: where the files lie; a table of groups is looked for there.
        scored: so many of the names are cases; the others are of another split. None for all.
        values: of every record, before grouping.
    """
    read = tuple(Record(name, root / name, **values) for name in names)
    grouped, notes = group(read, rule, root)
    given = keep_original_names(grouped)
    people = patient_names(
        read, grouped, given, layout="images", rule=rule, root=root, policy=IdPolicy.KEEP, key_path=root / "id.key"
    )
    cases = tuple(
        Case(Frame(one.case_id, record.path, patient=one.patient, sequence=one.sequence))
        for record, one in zip(grouped[:scored], given[:scored], strict=True)
    )
    return Dataset(root, "images", cases, IdPolicy.KEEP, None, notes, people=people)
