#!/bin/bash
# Expected: the alternative text that IPython.display.Image(..., alt="...") puts into a notebook is in the HTML page of it.
# Happens:  the page of nbconvert's own default template says alt="No description has been provided for this image", and
#           nbconvert warns that the text is missing. The older template "classic" writes the text.
# Versions: nbconvert 7.17.2, nbformat 5.11.1, ipython 9.18.1, pillow 13.0.0; Linux, Python 3.11.
# Matters:  reports of a study are read with screen readers and searched for words; whoever described each figure finds every
#           description gone, and a warning that looks like a mistake of the notebook.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nbconvert==7.17.2 nbformat==5.11.1 ipython==9.18.1 pillow==13.0.0
"$folder/venv/bin/python" - <<'PY' 2>&1 | tee "$folder/seen"
import io
import re
import warnings

import nbformat
from IPython.core.formatters import DisplayFormatter
from IPython.display import Image
from nbconvert import HTMLExporter
from PIL import Image as Picture

buffer = io.BytesIO()
Picture.new("L", (4, 4)).save(buffer, "PNG")
data, metadata = DisplayFormatter().format(Image(buffer.getvalue(), alt="Dice of 6 patients"))
output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
print("in the notebook:", output.metadata["image/png"])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
for template in ("lab", "classic"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    print(f"{template}:", re.findall(r'alt="([^"]*)"', page))
PY
diff - "$folder/seen" <<'EXPECTED'
in the notebook: {'alt': 'Dice of 6 patients'}
lab: ['No description has been provided for this image']
classic: ['Dice of 6 patients']
EXPECTED
echo "as seen before"
