"""The table that binds the files of cases to their run: digests of masks and logits, and what computed them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from helpers.runs.making import making_text
from helpers.runs.parts import Part, logits_name, mask_name

ARTEFACTS_NAME = "artefacts.parquet"

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("case_id", "prompt_id", "mask_sha256", "logits_sha256", "made_with")]
)


@dataclass(frozen=True)
class Artefacts:
    """What a finished run vouches for.

    Attributes:
        digests: SHA-256 of every mask and logits file, by its path in the run.
        made_with: `making_text` of each case, by case id; None where unknown.
    """

    digests: Mapping[str, str]
    made_with: Mapping[str, str | None]


def artefact_table(parts: Sequence[Part], prompt_ids: Iterable[str]) -> pa.Table:
    """A row for each case and prompt, in the order given; null where there is no such file, or nothing is known."""
    rows = []
    for part in parts:
        digests = part_digests(part)
        made_with = making_text(part.made_with)
        for prompt_id in prompt_ids:
            mask, logits = (digests.get(name(part.case_id, prompt_id)) for name in (mask_name, logits_name))
            rows.append((part.case_id, prompt_id, mask, logits, made_with))
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)


def read_artefacts(content: bytes) -> Artefacts:
    """What the bytes of the table say."""
    digests, made_with = {}, {}
    for row in pq.read_table(BytesIO(content)).to_pylist():
        made_with[row["case_id"]] = row["made_with"]
        for name, digest in ((mask_name, row["mask_sha256"]), (logits_name, row["logits_sha256"])):
            if digest is not None:
                digests[name(row["case_id"], row["prompt_id"])] = digest
    return Artefacts(digests, made_with)


def part_digests(part: Part) -> dict[str, str]:
    """SHA-256 of a case's files, by path in the run."""
    return {name: artefact.sha256 for name, artefact in part.artefacts.items()}
