"""Redo the accounting of a finished folder: files, tensors, code and tokenizer against the sources."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from helpers.checkpoint.digest import sha256_file
from helpers.checkpoint.source import TensorSource, open_source
from helpers.conversion.export import plan_conversion
from helpers.conversion.plan import Plan, Role, Target
from helpers.conversion.record import RECORD_NAME, ConversionRecord, read_record
from helpers.conversion.request import ConversionRequest, Sources, open_sources
from helpers.conversion.tokenizer import write_tokenizer
from helpers.conversion.weights import Weights


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
        verdict = "verified" if self.ok else f"{len(self.findings)} findings"
        lines = [f"{self.folder}: {verdict}"]
        lines += [f"  checked: {line}" for line in self.checked]
        lines += [f"  FINDING: {line}" for line in self.findings[:most]]
        if len(self.findings) > most:
            lines.append(f"  ... and {len(self.findings) - most} more findings")
        return "\n".join(lines)


def verify(
    folder: Path,
    checkpoint: Path,
    base: Path | None = None,
    sam2: Path | None = None,
    train_config: Path | None = None,
) -> VerificationReport:
    """Compare a converted folder with the sources it claims to come from.

    Every file is hashed, the sources are hashed, the plan is made again, and every tensor is computed again from the
    sources and compared with the folder's bytes.

    Raises:
        UsageProblem, RefusedInput: where the folder has no record, or a source cannot be read.
    """
    record = read_record(folder)
    report = VerificationReport(folder.name)
    _check_files(record, report)
    settings = {name: setting["value"] for name, setting in record.values["settings"].items()}
    with tempfile.TemporaryDirectory() as scratch:
        sizes = Path(scratch) / "sam2.json"
        exported = open_source(folder)
        sizes.write_text(json.dumps(exported.config["sam2_config"]))
        request = ConversionRequest(
            checkpoint=checkpoint,
            output=Path(scratch) / "never-written",
            base=base,
            sam2=sam2,
            sam2_config=str(sizes),
            train_config=train_config,
            lora_alpha=settings["lora_alpha"],
            template=settings["template"],
            dtype=record.values["dtype"],
        )
        sources = open_sources(request)
        _check_inputs(record, sources, report)
        tokenizer = write_tokenizer(sources.folder, Path(scratch), sources.special_tokens)
        weights = Weights(sources.opened, getattr(torch, request.dtype))
        plan, config, _ = plan_conversion(sources, tokenizer, weights, request.dtype)
    _check_config(exported.config, config.to_dict(), report)
    _check_tensors(exported, plan, weights, report)
    _check_account(record, plan, report)
    return report


def _check_files(record: ConversionRecord, report: VerificationReport) -> None:
    expected = record.values["outputs"]
    present = {path.name for path in record.folder.iterdir() if path.is_file()} - {RECORD_NAME}
    report.findings += [f"file missing: {name}" for name in sorted(set(expected) - present)]
    report.findings += [f"file not in the record: {name}" for name in sorted(present - set(expected))]
    for name in sorted(set(expected) & present):
        if sha256_file(record.folder / name) != expected[name]["sha256"]:
            report.findings.append(f"file changed since the conversion: {name}")
    report.checked.append(f"{len(expected)} files by sha256")


def _check_inputs(record: ConversionRecord, sources: Sources, report: VerificationReport) -> None:
    recorded = {(found["role"], found["sha256"]) for found in record.values["inputs"]}
    given = {(role.value, sha256_file(path)) for role, source in sources.opened.items() for path in source.files}
    names = {role.value: source.path.name for role, source in sources.opened.items()}
    for role in sorted({role for role, _ in recorded ^ given}):
        report.findings.append(f"the {role} given ({names.get(role, 'none')}) is not the one of the conversion")
    report.checked.append(f"{len(given)} source files by sha256")


def _check_config(stored: Mapping, expected: Mapping, report: VerificationReport) -> None:
    names = ("sa2va_format_version", "token_ids", "sam2_config", "template", "tie_word_embeddings", "dtype")
    for name in names:
        if stored.get(name) != expected.get(name):
            report.findings.append(f"config.json {name}: expected {expected.get(name)!r}, found {stored.get(name)!r}")
    report.checked.append(f"{len(names)} fields of config.json")


def _check_tensors(exported: TensorSource, plan: Plan, weights: Weights, report: VerificationReport) -> None:
    planned = {target.name for target in plan.targets}
    report.findings += [f"tensor with no source: {name}" for name in sorted(set(exported.tensors) - planned)]
    for target in plan.targets:
        if target.name not in exported.tensors:
            report.findings.append(f"tensor missing: {target.name}")
        elif not _same(exported, target, weights):
            report.findings.append(f"tensor differs from its sources: {target.name}")
    report.checked.append(f"{len(plan.targets)} tensors, value by value")


def _same(exported: TensorSource, target: Target, weights: Weights) -> bool:
    stored = exported.read(target.name)
    if tuple(stored.shape) != tuple(target.shape):
        return False
    start = 0
    for block in weights.blocks(target):
        if stored.dtype != block.dtype or not torch.equal(stored[start : start + len(block)], block):
            return False
        start += len(block)
    return start == len(stored)


def _check_account(record: ConversionRecord, plan: Plan, report: VerificationReport) -> None:
    recorded = record.values["sources"]
    for role, fates in plan.fates.items():
        known = recorded.get(role.value, {})
        different = [name for name, fate in fates.items() if known.get(name, {}).get("fate") != fate.fate.value]
        if different:
            report.findings.append(
                f"the fates of {len(different)} {role.value} tensors differ from the record, the first: {different[0]}"
            )
    total = sum(len(fates) for fates in plan.fates.values())
    report.checked.append(
        f"fates of {total} source tensors ({', '.join(role.value for role in Role if role in plan.fates)})"
    )
