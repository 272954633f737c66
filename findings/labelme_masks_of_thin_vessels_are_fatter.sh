#!/bin/bash
# Expected: a polygon gives the same mask in LabelMe and in COCO's tools, but for single pixels of the outline that even out.
# Happens:  LabelMe paints every pixel that the outline touches, COCO's tools those whose centre lies inside. A straight
#           vessel of 3 px becomes 4 px wide: 164 pixels in place of 120, and the two masks of one annotation have a Dice of
#           0.845. OpenCV's fillPoly paints as LabelMe does. The wider the object, the less it shows: 1.13 times at 10 px.
# Versions: labelme 6.3.1, pycocotools 2.0.11, opencv-python-headless 5.0.0.93, numpy 2.4.6; Linux, Python 3.11.
# Matters:  masks exported from LabelMe are scored against models whose training masks COCO's tools drew from the very same
#           polygons; on thin vessels 15 points of Dice are then a matter of drawing, not of the model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet labelme==6.3.1 pycocotools==2.0.11 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY' | tee "$folder/seen"
import cv2
import numpy as np
from labelme.utils import shape_to_mask
from pycocotools import mask as coco

for width in (3, 6, 10):
    outline = [[10, 20], [50, 20], [50, 20 + width], [10, 20 + width]]
    labelme = shape_to_mask((64, 64), outline, "polygon")
    cocotools = coco.decode(coco.frPyObjects([np.ravel(outline).tolist()], 64, 64)[0]).astype(bool)
    opencv = np.zeros((64, 64), np.uint8)
    cv2.fillPoly(opencv, [np.int32(outline)], 1)
    dice = 2 * (labelme & cocotools).sum() / (labelme.sum() + cocotools.sum())
    print(f"{width} px wide, 40 px long: labelme {labelme.sum()}, pycocotools {cocotools.sum()}, opencv {opencv.sum()}, Dice {dice:.3f}")
PY
diff - "$folder/seen" <<'EXPECTED'
3 px wide, 40 px long: labelme 164, pycocotools 120, opencv 164, Dice 0.845
6 px wide, 40 px long: labelme 287, pycocotools 240, opencv 287, Dice 0.911
10 px wide, 40 px long: labelme 451, pycocotools 400, opencv 451, Dice 0.940
EXPECTED
echo "as seen before"
