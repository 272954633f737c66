"""The doctor says what is missing, and what to do."""

import json

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from helpers.cli import doctor
from helpers.cli.doctor import Device, MachineFinding, MachineReport, MachineSeverity, Memory

GPU = Device("cuda:0", "A card", 12_000_000_000)


def report(**changed):
    fields = {
        "system": "Linux",
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "cores": 2,
        "devices": (GPU,),
        "memory": Memory(25_000_000_000, 24_000_000_000),
        "disk_free": 70_000_000_000,
        "findings": (),
    }
    return MachineReport(root=doctor.project_root(), **(fields | changed))


def test_this_machine_is_examined():
    found = doctor.examine()
    assert {"vesselkit", "python", "torch", "transformers", "typer"} <= set(found.versions)
    assert "ruff" not in found.versions
    assert found.cores >= 1 and found.disk_free > 0 and found.memory.total >= found.memory.available > 0
    assert json.loads(json.dumps(found.to_dict()))["ok"] is found.ok
    assert found.ok, found.to_text()


def test_text_names_devices_versions_and_what_is_missing():
    text = report(versions={"torch": None}).to_text()
    assert "cuda:0          A card, 12.0 GB\n" in text and "torch           MISSING\n" in text
    assert "memory          25.0 GB, 24.0 GB available\n" in text
    assert "everything runs on the CPU" in report(devices=(), memory=None).to_text()


def test_advice_is_no_finding_of_something_required():
    advice, required = (
        MachineFinding(severity, "less", "Do this") for severity in (MachineSeverity.ADVICE, MachineSeverity.REQUIRED)
    )
    assert report(findings=(advice,)).ok and not report(findings=(advice, required)).ok
    text = report(findings=(advice, required)).to_text()
    assert "advice: less. Do this\nrequired: less. Do this\nsomething required is missing" in text
    assert report(findings=(required,)).to_dict()["findings"][0]["severity"] == "required"


@pytest.mark.parametrize(("version", "count"), [("3.10.14", 1), ("3.11.0", 0), ("3.14.9", 0), ("3.15.0", 1)])
def test_python(version, count):
    assert len(doctor.python_findings(version, SpecifierSet(">=3.11,<3.15"))) == count


@pytest.mark.parametrize(
    ("version", "found"), [(None, "none"), ("4.56.2", "4.56.2"), ("6.0.0", "6.0.0"), ("4.57.0", ""), ("5.23.0", "")]
)
def test_packages(version, found):
    findings = doctor.package_findings([Requirement("transformers<6,>=4.57")], {"transformers": version})
    if found:
        (finding,) = findings
        assert finding.severity is MachineSeverity.REQUIRED
        assert finding.what == f"transformers: expected <6,>=4.57, found {found}"
        assert finding.remedy == "Run: pip install 'transformers<6,>=4.57'"
    else:
        assert findings == []


def test_a_local_build_of_torch_is_in_range():
    assert doctor.package_findings([Requirement("torch>=2.10")], {"torch": "2.13.0+cpu"}) == []


def test_a_package_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "DISTRIBUTION", "no-such-distribution")
    found = doctor.examine()
    assert not found.ok and "pip install -e ." in found.to_text()


def test_missing_modules_do_not_stop_the_report(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = doctor.examine()
    assert found.memory is None and found.devices == ()
    assert [
        finding.what.split(",")[0] for finding in found.findings if finding.severity is MachineSeverity.REQUIRED
    ] == ["Jupyter kernel 'python3'"]


def test_kernel_gpu_and_disk():
    assert doctor.kernel_findings(["python3", "ir"]) == []
    assert "ipykernel install" in doctor.kernel_findings(["ir"])[0].remedy
    assert doctor.device_findings((GPU,), has_nvidia_driver=True) == []
    assert doctor.device_findings((), has_nvidia_driver=False) == []
    assert "finds no GPU" in doctor.device_findings((), has_nvidia_driver=True)[0].what
    assert doctor.disk_findings(17_000_000_000) == []
    (little,) = doctor.disk_findings(5_000_000_000)
    assert little.severity is MachineSeverity.ADVICE and "5.0 GB of disk are free" in little.what
