#!/bin/bash
# Expected: an array of three 16-bit frames (3, H, W) becomes a TIFF of 3 pages, as one of 2 or 5 frames does; whoever opens
#           it sees the first frame, or an error.
# Happens:  tifffile stores three frames as the planes of one RGB picture (and warns with a DeprecationWarning, which most
#           programs hide). Pillow opens it as 8-bit colour and takes every single byte of a plane for a pixel: low and high
#           bytes stand side by side, and the lower half of the frame is missing. Neither raises an error. Frames of 8 bits
#           come back as one colour picture. 2 and 5 frames are pages.
# Versions: tifffile 2026.3.3 (2026.11.8 on Python 3.12 does the same), pillow 13.0.0, numpy 2.4.6; Linux, Python 3.11.
# Matters:  the frames before, at and after a moment, or a short cine, are predicted on as one frame that never was.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
cat > "$folder/expected" <<'EXPECTED'
2 frames: pages 2, Pillow opens I;16, its first row begins [1000, 1000, 1000, 1000]
3 frames: pages 1, Pillow opens RGB, its red channel begins [232, 3, 232, 3]
5 frames: pages 5, Pillow opens I;16, its first row begins [1000, 1000, 1000, 1000]
3 frames whose upper half is 1000 and whose lower half is 2000: red 208 or 7 (of 2000) in 0 of 64 rows
EXPECTED
cd "$folder"
venv/bin/python -W ignore - <<'PY' | tee seen
import numpy as np
import tifffile
from PIL import Image

for count in (2, 3, 5):
    tifffile.imwrite("cine.tif", np.full((count, 64, 64), 1000, np.uint16))
    with tifffile.TiffFile("cine.tif") as stored, Image.open("cine.tif") as opened:
        row = np.asarray(opened)[0, :4]
        shown = f"its red channel begins {row[:, 0].tolist()}" if row.ndim == 2 else f"its first row begins {row.tolist()}"
        print(f"{count} frames: pages {len(stored.pages)}, Pillow opens {opened.mode}, {shown}")
halves = np.full((3, 64, 64), 1000, np.uint16)
halves[:, 32:] = 2000  # 0x07d0
tifffile.imwrite("halves.tif", halves)
red = np.asarray(Image.open("halves.tif"))[..., 0]
lower = int(np.isin(red, (208, 7)).any(axis=1).sum())
print(f"3 frames whose upper half is 1000 and whose lower half is 2000: red 208 or 7 (of 2000) in {lower} of 64 rows")
PY
diff expected seen
echo "as seen before"
