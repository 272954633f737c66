#!/bin/bash
# Expected: a mask turned into polygons and back is the same mask, or the hole in it is refused.
# Happens:  each hole becomes a polygon like any other. Drawn again, and in the COCO file that the library writes, what two
#           vessels enclose is vessel: 644 pixels become 900.
# Versions: supervision 0.31.2, opencv-python-headless 5.0.0.93, numpy 2.4.6; Linux, Python 3.11.
# Matters:  crossing vessels enclose background in most angiograms. A data set exported as COCO polygons gains vessel there,
#           a model learns it, and topology metrics (Betti numbers, clDice) compare with loops that are gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet supervision==0.31.2 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY' | tee "$folder/seen"
import numpy as np
import supervision as sv
from supervision.dataset.utils import approximate_mask_with_polygons

mask = np.zeros((40, 40), bool)
mask[5:35, 5:35] = True
mask[12:28, 12:28] = False  # what two crossing vessels enclose
for name, polygons in (("mask_to_polygons", sv.mask_to_polygons(mask)), ("as COCO export draws", approximate_mask_with_polygons(mask))):
    again = np.zeros_like(mask)
    for polygon in polygons:
        again |= sv.polygon_to_mask(polygon, (40, 40)).astype(bool)
    print(f"{name}: {len(polygons)} polygons, {mask.sum()} pixels before, {again.sum()} after")
PY
diff - "$folder/seen" <<'EXPECTED'
mask_to_polygons: 2 polygons, 644 pixels before, 900 after
as COCO export draws: 2 polygons, 644 pixels before, 900 after
EXPECTED
echo "as seen before"
