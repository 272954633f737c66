"""What this machine has, what is missing, and what to do about it.

What may be missing is imported only where it is there, so that this still reports.
"""

import json
import os
import platform
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from helpers import __version__
from helpers.core.paths import project_root

DISTRIBUTION = "vesselkit"
KERNEL = "python3"
EXPORT_8B_BYTES = 17_000_000_000
"""Free disk that the export of an 8B model in bfloat16 takes, rounded up."""


class MachineSeverity(Enum):
    """Whether the kit can work all the same."""

    REQUIRED = "required"
    ADVICE = "advice"


@dataclass(frozen=True)
class MachineFinding:
    """Something missing or out of range.

    Attributes:
        what: what was expected and what is there.
        remedy: what to do.
    """

    severity: MachineSeverity
    what: str
    remedy: str


@dataclass(frozen=True)
class Device:
    """A device that torch can use; `memory_bytes` is None where torch does not tell."""

    name: str
    description: str
    memory_bytes: int | None


@dataclass(frozen=True)
class Memory:
    """Main memory, bytes."""

    total: int
    available: int


@dataclass(frozen=True)
class MachineReport:
    """The examination of a machine; sizes in bytes.

    Attributes:
        memory: None where psutil, which tells, is missing.
        versions: of vesselkit, python and each required distribution; None for one that is absent.
        cores: CPU cores that this process may use.
    """

    system: str
    root: Path
    versions: dict[str, str | None]
    cores: int
    devices: tuple[Device, ...]
    memory: Memory | None
    disk_free: int
    findings: tuple[MachineFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing required is missing."""
        return all(finding.severity is not MachineSeverity.REQUIRED for finding in self.findings)

    def to_dict(self) -> dict:
        """JSON values."""
        findings = [asdict(finding) | {"severity": finding.severity.value} for finding in self.findings]
        return asdict(self) | {"root": str(self.root), "findings": findings, "ok": self.ok}

    def to_text(self) -> str:
        """Lines for a person."""
        rows = [("system", self.system), ("project root", str(self.root))]
        if self.memory is not None:
            rows.append(("memory", f"{_gb(self.memory.total)}, {_gb(self.memory.available)} available"))
        rows += [("disk", f"{_gb(self.disk_free)} free"), ("CPU", f"{self.cores} cores")]
        for device in self.devices:
            size = "" if device.memory_bytes is None else f", {_gb(device.memory_bytes)}"
            rows.append((device.name, device.description + size))
        if not self.devices:
            rows.append(("accelerator", "none; everything runs on the CPU"))
        rows.append(("", ""))
        rows += [(name, version or "MISSING") for name, version in self.versions.items()]
        lines = [f"{name:<16}{text}".rstrip() for name, text in rows]
        lines.append("")
        lines += [f"{finding.severity.value}: {finding.what}. {finding.remedy}" for finding in self.findings]
        lines.append("nothing required is missing" if self.ok else "something required is missing: see above")
        return "\n".join(lines)


def examine() -> MachineReport:
    """Examine this machine; reads versions and sizes, changes nothing."""
    root = project_root()
    requirements = _requirements()
    versions = {requirement.name: _installed(requirement.name) for requirement in requirements}
    disk_free = shutil.disk_usage(root).free
    devices = _devices()
    findings = [
        *python_findings(platform.python_version(), _python_range()),
        *package_findings(requirements, versions),
        *kernel_findings(_kernels()),
        *device_findings(devices, has_nvidia_driver=shutil.which("nvidia-smi") is not None),
        *disk_findings(disk_free),
    ]
    return MachineReport(
        system=platform.platform(),
        root=root,
        versions={DISTRIBUTION: __version__, "python": platform.python_version(), **versions},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        devices=devices,
        memory=_memory(),
        disk_free=disk_free,
        findings=tuple(findings),
    )


def python_findings(version: str, supported: SpecifierSet) -> list[MachineFinding]:
    """Whether this Python is one that the kit is tested with."""
    if supported.contains(version, prereleases=True):
        return []
    remedy = "Make the environment again with one of these; `make` takes the newest that it finds"
    return [MachineFinding(MachineSeverity.REQUIRED, f"python: expected {supported}, found {version}", remedy)]


def package_findings(requirements: list[Requirement], versions: dict[str, str | None]) -> list[MachineFinding]:
    """Required distributions that are absent or outside the supported range.

    Args:
        versions: installed version by distribution; None where absent.
    """
    findings = []
    if not requirements:
        what = f"{DISTRIBUTION} is not installed in this environment, so that its requirements are not known"
        findings.append(MachineFinding(MachineSeverity.REQUIRED, what, "Run in the checkout: pip install -e ."))
    for requirement in requirements:
        found = versions[requirement.name]
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            what = f"{requirement.name}: expected {requirement.specifier or 'any version'}, found {found or 'none'}"
            findings.append(MachineFinding(MachineSeverity.REQUIRED, what, f"Run: pip install '{requirement}'"))
    return findings


def kernel_findings(kernels: Collection[str]) -> list[MachineFinding]:
    """Whether notebooks find their kernel."""
    if KERNEL in kernels:
        return []
    remedy = f"Run: python -m ipykernel install --sys-prefix --name {KERNEL}"
    return [
        MachineFinding(
            MachineSeverity.REQUIRED, f"Jupyter kernel {KERNEL!r}, which the notebooks name, is missing", remedy
        )
    ]


def device_findings(devices: tuple[Device, ...], *, has_nvidia_driver: bool) -> list[MachineFinding]:
    """Whether a GPU is there that torch cannot use."""
    if not has_nvidia_driver or any(device.name.startswith("cuda") for device in devices):
        return []
    what = f"an NVIDIA driver is installed, but torch {_installed('torch') or '(missing)'} finds no GPU"
    remedy = "Install a build of torch made for your driver's CUDA version (torch's own site says which)"
    return [MachineFinding(MachineSeverity.ADVICE, what, remedy)]


def disk_findings(free: int) -> list[MachineFinding]:
    """Whether the export of an 8B model fits."""
    if free >= EXPORT_8B_BYTES:
        return []
    what = f"{_gb(free)} of disk are free; the export of an 8B model takes {_gb(EXPORT_8B_BYTES)}"
    return [MachineFinding(MachineSeverity.ADVICE, what, "Free some space, or give an --output on another disk")]


def _requirements() -> list[Requirement]:
    """What vesselkit needs to run, development tools left out; empty where it is not installed."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(line) for line in lines]
    return [needed for needed in found if needed.marker is None or needed.marker.evaluate({"extra": ""})]


def _python_range() -> SpecifierSet:
    try:
        return SpecifierSet(str(metadata.metadata(DISTRIBUTION).json.get("requires_python", "")))
    except metadata.PackageNotFoundError:
        return SpecifierSet()


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kernels() -> Collection[str]:
    """Names of the Jupyter kernels of this environment and user."""
    if find_spec("jupyter_client") is None:
        return ()
    from jupyter_client.kernelspec import KernelSpecManager

    return KernelSpecManager().find_kernel_specs()


def _memory() -> Memory | None:
    if find_spec("psutil") is None:
        return None
    import psutil

    found = psutil.virtual_memory()
    return Memory(found.total, found.available)


def _devices() -> tuple[Device, ...]:
    if find_spec("torch") is None:
        return ()
    import torch

    found = [
        Device(f"cuda:{index}", properties.name, properties.total_memory)
        for index in range(torch.cuda.device_count())
        for properties in [torch.cuda.get_device_properties(index)]
    ]
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", None))
    return tuple(found)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Check this machine and list what is missing."""
    report = examine()
    typer.echo(json.dumps(report.to_dict(), indent=1) if as_json else report.to_text())
    if not report.ok:
        raise typer.Exit(1)
