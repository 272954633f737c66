"""What docs/security.md promises of the code, and that its table is about the pinned versions."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "helpers").rglob("*.py"), *(ROOT / "scripts").glob("*.py")])
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

RUNS_DATA = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load",
    "joblib.load", "marshal.load", "marshal.loads", "shelve.open", "pandas.read_pickle", "pd.read_pickle", "yaml.load",
    "yaml.full_load", "yaml.unsafe_load", "os.system", "os.popen", "torch.hub.load", "torch.jit.load",
}  # fmt: skip
NEEDED = {  # keyword arguments that make a call harmless
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
RECEIPT_SCRIPT = "helpers/checkpoints/receipt/receipt_script.py"
UNWANTED = {"cv2"}  # comes with mmengine, with decoders of its own
NETWORK = {
    "socket", "urllib.request", "http", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "huggingface_hub",
    "websockets",
}  # fmt: skip
# All after the folder's code was checked, but for two: the pipeline is that folder's own code, which runs already, and
# the script of the receipt is run by hand, on official code that its user names.
TRUSTING = {
    "helpers/prediction/engine/model_loading.py", "helpers/prediction/engine/composition.py",
    "helpers/model/segmentation_pipeline.py", "scripts/golden_parity.py",
    RECEIPT_SCRIPT,
}  # fmt: skip


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def given(call, name):
    """The constant of a keyword argument; None where it is not given, or no constant."""
    return next(
        (one.value.value for one in call.keywords if one.arg == name and isinstance(one.value, ast.Constant)), None
    )


def faults(source, path=""):
    """What a module does that it must not, in words."""
    tree = ast.parse(source)
    found = []
    for call in calls(tree):
        name = ast.unparse(call.func)
        if name in RUNS_DATA:
            found.append(f"{name} runs what it reads")
        if name in NEEDED and given(call, NEEDED[name][0]) is not NEEDED[name][1]:
            found.append(f"{name} without {NEEDED[name][0]}={NEEDED[name][1]}")
        if (
            name.startswith("Auto")
            and name.endswith(".from_pretrained")
            and given(call, "local_files_only") is not True
        ):
            found.append(f"{name} may ask the network")
        if given(call, "trust_remote_code") is True and path not in TRUSTING:
            found.append(f"{name} runs code of a folder that nothing checked")
        if given(call, "shell") is True:
            found.append(f"{name} runs a shell")
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found += [f"imports {name}" for name in names if {name, name.split(".")[0]} & (NETWORK | UNWANTED)]
    return found


def test_no_module_runs_what_it_reads_or_reaches_for_the_network():
    assert len(MODULES) > 200
    sources = {module.relative_to(ROOT).as_posix(): module.read_text(encoding="utf-8") for module in MODULES}
    assert {path: found for path, source in sources.items() if (found := faults(source, path))} == {}


def test_the_kit_itself_loads_no_official_code():
    sources = {module.relative_to(ROOT).as_posix(): module.read_text(encoding="utf-8") for module in MODULES}
    assert [path for path, text in sources.items() if "load_official" in text or "receipt_script.main" in text] == [
        RECEIPT_SCRIPT
    ]


NOTICED = [
    "pickle.loads(x)", "torch.load(x)", "torch.load(x, weights_only=False)", "torch.load(x, weights_only=safe)",
    "np.load(x)", "eval(x)", "yaml.load(x)", "subprocess.run(x, shell=True)", "AutoModel.from_pretrained(x)",
    "AutoModel.from_config(x, trust_remote_code=True)", "import requests", "from urllib.request import urlopen",
    "import huggingface_hub.file_download", "import cv2",
]  # fmt: skip


def test_each_of_these_would_be_noticed():
    assert [source for source in NOTICED if len(faults(source)) != 1] == []


def test_what_is_harmless_passes():
    for source in (
        "torch.load(x, weights_only=True)",
        "np.load(x, allow_pickle=False)",
        "yaml.safe_load(x)",
        "a.eval()",
    ):
        assert faults(source) == []
    assert faults("AutoConfig.from_pretrained(x, trust_remote_code=True, local_files_only=True)", min(TRUSTING)) == []


def pinned():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", lock, re.MULTILINE))


def test_the_page_is_about_the_pinned_versions():
    rows = re.findall(r"^\| `([\w.-]+)` \| ([\w.]+) \|", PAGE, re.MULTILINE)
    assert len(rows) > 10
    assert {name: pinned()[name] for name, _ in rows} == dict(rows), "look the advisories up again: docs/security.md"


def test_the_page_names_tests_that_are_there():
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(named) >= 6 and all((ROOT / name).is_file() for name in named)
