"""Redo the accounting of a finished folder: files, config, tokenizer, tensors and record against the sources."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from helpers.checkpoints.convert.base_models import NOTHING, PRETRAINED
from helpers.checkpoints.convert.conversion_record import RECORD_NAME, ConversionRecord, read_record, target_values
from helpers.checkpoints.convert.export import hash_inputs, plan_conversion, write_code_and_config
from helpers.checkpoints.convert.model_card import fingerprints_in
from helpers.checkpoints.convert.plan import ConversionPlan, Target
from helpers.checkpoints.convert.request import ConversionRequest, Sources, open_sources
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.checkpoints.convert.weights import Weights, fingerprint, raw_bytes
from helpers.checkpoints.read.file_digest import sha256_files
from helpers.checkpoints.read.weight_source import TensorSource, open_source
from helpers.core.card_parts import CARD_NAME
from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.shown_text import counted


@dataclass
class VerificationReport:
    """What was checked, and every finding.

    Attributes:
        checked: one line for each check that was made.
        findings: one line for each thing that is not as it should be.
    """

    folder: str
    checked: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings

    def to_text(self, most: int = 20) -> str:
        """For a person; of the findings the first `most`, and how many more there are."""
        verdict = "verified" if self.ok else f"{counted(len(self.findings), 'finding')}"
        lines = [f"{self.folder}: {verdict}"]
        lines += [f"  checked: {line}" for line in self.checked]
        lines += [f"  FINDING: {line}" for line in self.findings[:most]]
        if len(self.findings) > most:
            lines.append(f"  ... and {counted(len(self.findings) - most, 'more finding')}")
        return "\n".join(lines)


def verify(
    folder: Path,
    checkpoint: Path,
    base: Path | None = None,
    sam2: Path | None = None,
    train_config: Path | None = None,
    pretrained: Path | str | None = None,
) -> VerificationReport:
    """Compare a converted folder with the sources it claims to come from.

    Every file is hashed, the sources are hashed, the plan is made again, and every tensor is computed again from the
    sources and compared with the folder's bytes and with the record: to the bit, and where LoRA was merged, within what
    the order of float32 sums leaves open.

    Raises:
        UsageProblem, RefusedInput: where the folder has no record, or a source cannot be read.
    """
    record = read_record(folder)
    report = VerificationReport(folder.name)
    _check_files(record, report)
    settings = {name: setting["value"] for name, setting in record.values["settings"].items()}
    exported = open_source(folder)
    if exported.config is None:
        raise RefusedInput(f"{folder}: holds no config.json; expected a folder written by `vesselkit convert`")
    with tempfile.TemporaryDirectory() as scratch:
        sizes = Path(scratch) / "sam2_sizes.json"
        sizes.write_text(json.dumps(exported.config.get("sam2_config")))
        request = ConversionRequest(
            checkpoint=checkpoint,
            output=Path(scratch) / "never-written",
            base=base,
            sam2=sam2,
            sam2_config=str(sizes),
            train_config=train_config,
            lora_alpha=settings["lora_alpha"],
            template=settings["template"],
            pretrained=pretrained or _recorded_nothing(record),
            dtype=record.values["dtype"],
        )
        sources = open_sources(request)
        _check_inputs(record, sources, report)
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        tokenizer = write_tokenizer(sources.tokenizer_folder, fresh, sources.special_tokens, sources.family)
        weights = Weights(sources.opened, getattr(torch, request.dtype))
        plan, config, _ = plan_conversion(sources, tokenizer, weights, request.dtype)
        write_code_and_config(fresh, config)
        _check_fresh_files(folder, fresh, report)
    digests = _check_tensors(exported, plan, weights, report)
    _check_record(record, plan, digests, getattr(torch, request.dtype), report)
    return report


def _recorded_nothing(record: ConversionRecord) -> str | None:
    """What was stated when no file was read need not be stated again."""
    found = record.values["settings"].get(PRETRAINED, {}).get("value")
    return NOTHING if found == NOTHING else None


def _check_files(record: ConversionRecord, report: VerificationReport) -> None:
    expected = record.values["outputs"]
    present = {path.name for path in record.folder.iterdir() if path.is_file()} - {RECORD_NAME, CARD_NAME}
    report.findings += file_findings(record)
    report.findings += [f"file not in the record: {name}" for name in sorted(present - set(expected))]
    report.checked.append(f"{counted(len(expected), 'file')} by sha256")
    report.findings += card_findings(record)


def file_findings(record: ConversionRecord) -> list[str]:
    """Which files of the export are lost, or hold something else than when they were written."""
    expected = record.values["outputs"]
    names = sorted(name for name in expected if (record.folder / name).is_file())
    digests = sha256_files([record.folder / name for name in names], "hashing the folder")
    return [f"file missing: {name}" for name in sorted(set(expected) - set(names))] + [
        f"file changed since the conversion: {name}"
        for name, digest in zip(names, digests, strict=True)
        if digest != expected[name]["sha256"]
    ]


def card_findings(record: ConversionRecord) -> list[str]:
    """What is wrong with the fingerprint that a folder's card names; nothing without a card, as in earlier versions.

    People write in a card, so it has no hash. What it says of must be this model.
    """
    path = record.folder / CARD_NAME
    if not path.is_file():
        return []
    named, own = fingerprints_in(path.read_text(encoding="utf-8", errors="replace")), record.values["tensors_sha256"]
    if named == {own}:
        return []
    if named:
        return [
            f"{CARD_NAME} names the tensors_sha256 of another model; expected {own}. It is the card of another folder"
        ]
    return [f"{CARD_NAME} does not name this model's tensors_sha256 {own}. Write it back, or convert again"]


def _check_inputs(record: ConversionRecord, sources: Sources, report: VerificationReport) -> None:
    """The sources given against those recorded; SAM2's sizes come from the folder itself here."""
    given = {(found.role, found.sha256) for found in hash_inputs(sources) if found.role != "sam2_config"}
    recorded = {(found["role"], found["sha256"]) for found in record.values["inputs"]}
    recorded = {(role, digest) for role, digest in recorded if role != "sam2_config"}
    names = {role.value: source.path.name for role, source in sources.opened.items()}
    for role in sorted({role for role, _ in recorded ^ given}):
        report.findings.append(f"the {role} given ({names.get(role, 'file')}) is not the one of the conversion")
    report.checked.append(f"{counted(len(given), 'source file')} by sha256")


def _check_fresh_files(folder: Path, fresh: Path, report: VerificationReport) -> None:
    """Config, tokenizer and code of the folder against those that this version writes from the same sources."""
    for path in sorted(fresh.iterdir()):
        stored = folder / path.name
        if not stored.is_file() or _content(stored) != _content(path):
            report.findings.append(f"file differs from what the sources and this version give: {path.name}")
    report.checked.append(f"{len(list(fresh.iterdir()))} config, tokenizer and code files against the sources")


def _content(path: Path) -> object:
    """What counts in a file: parsed JSON without the library's version, or the bytes."""
    if path.suffix != ".json":
        return path.read_bytes()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return path.read_bytes()
    if isinstance(value, dict):
        value.pop("transformers_version", None)
    return value


def _check_tensors(
    exported: TensorSource, plan: ConversionPlan, weights: Weights, report: VerificationReport
) -> dict[str, str]:
    """Every tensor of the folder against its sources; returns the hashes of the values that the sources give."""
    planned = {target.name for target in plan.targets}
    report.findings += [f"tensor with no source: {name}" for name in sorted(set(exported.tensors) - planned)]
    digests, rounded = {}, 0
    for target in track(plan.targets, "verifying", unit="tensor"):
        compared = _compare(exported, target, weights)
        digests[target.name] = compared.sha256
        rounded += compared.rounded > 0
        if target.name not in exported.tensors:
            report.findings.append(f"tensor missing: {target.name}")
        elif not compared.same:
            report.findings.append(f"tensor differs from its sources: {target.name}")
    report.checked.append(f"{counted(len(plan.targets), 'tensor')}, value by value")
    if rounded:
        report.checked.append(
            f"{counted(rounded, 'merged tensor')} among them, up to the rounding of float32 sums: another processor or "
            "release of torch merged them"
        )
    return digests


@dataclass(frozen=True)
class _Compared:
    """A stored tensor beside what its sources give.

    Attributes:
        same: whether every value is the sources' one, or within the rounding of the float32 sums that merged it.
        sha256: of the sources' bytes; of the stored ones where these differ by rounding alone.
        rounded: values that differ by rounding.
    """

    same: bool
    sha256: str
    rounded: int


def _compare(exported: TensorSource, target: Target, weights: Weights) -> _Compared:
    stored = exported.read(target.name) if target.name in exported.tensors else None
    same = stored is not None and tuple(stored.shape) == tuple(target.shape)
    digest, start, rounded = hashlib.sha256(), 0, 0
    for block in weights.blocks(target):
        stop = start + len(block)
        if same and stored is not None:
            there = stored[start:stop]
            same = there.dtype == block.dtype
            if same and not torch.equal(there, block):
                same = target.lora is not None and _within(there, *weights.rounding_range(target, start, stop))
                rounded += int((there != block).sum()) if same else 0
                block = there if same else block
        digest.update(raw_bytes(block))
        start = stop
    return _Compared(same, digest.hexdigest(), rounded)


def _within(values: torch.Tensor, least: torch.Tensor, largest: torch.Tensor) -> bool:
    return bool(((least <= values) & (values <= largest)).all())


def _check_record(
    record: ConversionRecord,
    plan: ConversionPlan,
    digests: Mapping[str, str],
    dtype: torch.dtype,
    report: VerificationReport,
) -> None:
    """The account that the folder carries against the one made here."""
    recorded = {target["name"]: target for target in record.values["targets"]}
    expected = {target.name: target_values(target, digests[target.name]) for target in plan.targets}
    different = [name for name in recorded | expected if recorded.get(name) != expected.get(name)]
    if different:
        report.findings.append(f"conversion.json: {len(different)} targets differ, the first: {different[0]}")
    shapes = {target.name: target.shape for target in plan.targets}
    if record.values["tensors_sha256"] != fingerprint(digests, shapes, dtype):
        report.findings.append("conversion.json: tensors_sha256 is not that of the tensors")
    roles = {role.value: fates for role, fates in plan.fates.items()}
    for role in sorted(roles.keys() | record.values["sources"].keys()):
        stored = {name: fate["fate"] for name, fate in record.values["sources"].get(role, {}).items()}
        made = {name: fate.fate.value for name, fate in roles.get(role, {}).items()}
        names = [name for name in stored | made if stored.get(name) != made.get(name)]
        if names:
            report.findings.append(
                f"fates of {counted(len(names), f'{role} tensor')} that differ from the record, the first: {names[0]}"
            )
    total = sum(len(fates) for fates in plan.fates.values())
    report.checked.append(f"fates of {counted(total, 'source tensor')} ({', '.join(sorted(roles))})")
