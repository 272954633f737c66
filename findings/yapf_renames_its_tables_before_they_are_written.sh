#!/bin/bash
# Expected: mmengine can be imported by several processes at once: yapf, which it imports, keeps its tables in a cache of the
#           user that is written under another name and then renamed, so that nobody can see half of it.
# Happens:  it renames while what it wrote may still be in the buffer of the open file. The smaller of two tables is empty under
#           its final name, and a process that reads it then ends its import with "EOFError: Ran out of input".
# Versions: yapf 0.43.0, as mmengine 0.10.7 imports it; Linux, Python 3.11.
# Matters:  the cache is made anew after every installation. The first training under torchrun, or the first tests on several
#           processes, then fail now and then before they begin, and never again. One import alone, before, avoids it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet yapf==0.43.0 platformdirs==4.14.7
export XDG_CACHE_HOME="$folder/cache"
"$folder/venv/bin/python" - <<'PY' | tee "$folder/seen"
import os

renamed, rename = [], os.rename


def watched(source, target):
    rename(source, target)
    if str(target).endswith(".pickle"):
        renamed.append((target, os.path.getsize(target)))


os.rename = watched
import yapf  # noqa: E402, F401

for target, size in renamed:
    name = os.path.basename(target).split("-")[0]
    whole = os.path.getsize(target)
    print(f"{name}: {'all' if size == whole else size} of its bytes are there when it gets its name")
PY
diff - "$folder/seen" <<'EXPECTED'
Grammar: all of its bytes are there when it gets its name
PatternGrammar: 0 of its bytes are there when it gets its name
EXPECTED
echo "as seen before"
