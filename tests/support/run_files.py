"""What of a run folder must be equal between equal runs."""

import json
from pathlib import Path

# The only things that may differ: when, and how long.
_TIMES = {"created", "timing", "seconds", "timings"}


def run_files(run: Path) -> dict[str, bytes]:
    """Every file by its relative path; timings, sources and locks are left out, and the manifest's times."""
    files = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and not name.startswith(("timings/", "timings.", "sources/", "locks/")):
            files[name] = path.read_bytes()
    if "manifest.json" in files:
        values = json.loads(files["manifest.json"])
        kept = {key: value for key, value in values.items() if key not in _TIMES}
        kept.get("files", {}).pop("timings.parquet", None)
        files["manifest.json"] = json.dumps(kept, sort_keys=True).encode()
    return files
