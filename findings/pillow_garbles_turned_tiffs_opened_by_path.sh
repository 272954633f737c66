#!/bin/bash
# Expected: Image.open(path) and Image.open(file) of one file give the same picture.
# Happens:  of an uncompressed TIFF whose orientation tag swaps height and width (5 to 8) the path gives a garbled picture: rows
#           are cut at the wrong length, and the picture is turned afterwards. The open file gives the picture upright. Neither
#           raises nor warns.
# Versions: pillow 13.0.0, numpy 2.4.6; Linux, Python 3.11.
# Matters:  film scanners and viewers that turn an angiogram write the tag and leave the pixels. A model then sees stripes, and a
#           mask that was drawn in another program does not fit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee "$folder/seen"
import numpy as np
from PIL import Image

stored = np.zeros((4, 8), np.uint8)
stored[0] = 9  # one bright row, which the tag turns into the right-hand column
exif = Image.Exif()
exif[274] = 6
Image.fromarray(stored).save("turned.tif", exif=exif)
for how in ("path", "file"):
    with open("turned.tif", "rb") as file, Image.open("turned.tif" if how == "path" else file) as image:
        image.load()
        print(how, image.size, [" ".join(map(str, row)) for row in np.asarray(image)])
PY
diff - "$folder/seen" <<'EXPECTED'
path (8, 4) ['0 0 0 0 0 0 9 9', '0 0 0 0 0 0 9 9', '0 0 0 0 0 0 9 9', '0 0 0 0 0 0 9 9']
file (4, 8) ['0 0 0 9', '0 0 0 9', '0 0 0 9', '0 0 0 9', '0 0 0 9', '0 0 0 9', '0 0 0 9', '0 0 0 9']
EXPECTED
echo "as seen before"
