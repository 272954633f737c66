#!/bin/bash
# Expected: of 10-bit greys that lie in the upper bits of a 16-bit word (BitsStored 10, HighBit 15, as older angiography
#           systems wrote them), pydicom gives the greys, or the words as they are; gdcm moves them when it compresses.
# Happens:  pydicom 3 keeps the lowest 10 bits of each word, so that 0, 200, 800, 1023 come out as 0, 512, 0, 960; with
#           correct_unused_bits=False the words are whole. gdcm writes HighBit 9 into the copy and leaves the greys where
#           they were: of a copy in RLE no reader can tell any more that they lie six bits higher.
# Versions: pydicom 3.0.2, python-gdcm 3.2.6, numpy 2.4.6; Linux, Python 3.11.
# Matters:  the picture is not dark but scrambled in brightness, and a network predicts on it without an error; an archive
#           that compresses with gdcm makes it permanent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2 python-gdcm==3.2.6 numpy==2.4.6
cat > "$folder/expected" <<'EXPECTED'
greys that the file holds: [0, 200, 800, 1023]
pydicom: [0, 512, 0, 960]
pydicom, correct_unused_bits=False: [0, 12800, 51200, 65472], shifted by 6: [0, 200, 800, 1023]
a copy that gdcm compressed: BitsStored 10, HighBit 9, words [0, 12800, 51200, 65472]
EXPECTED
cd "$folder"
venv/bin/python - <<'PY' | tee seen
import gdcm
import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

greys = np.array([[0, 200], [800, 1023]], np.uint16)
image = pydicom.Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = XRayAngiographicImageStorage
image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid(entropy_srcs=["greys"])
image.Modality, image.Rows, image.Columns, image.SamplesPerPixel = "XA", 2, 2, 1
image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
image.BitsAllocated, image.BitsStored, image.HighBit = 16, 10, 15
image.PixelData = (greys << 6).tobytes()
image.save_as("high.dcm", enforce_file_format=True)


def words(path):
    return pydicom.pixels.pixel_array(path, correct_unused_bits=False).ravel()


print("greys that the file holds:", greys.ravel().tolist())
print("pydicom:", pydicom.dcmread("high.dcm").pixel_array.ravel().tolist())
whole = words("high.dcm")
print(f"pydicom, correct_unused_bits=False: {whole.tolist()}, shifted by 6: {(whole >> 6).tolist()}")

reader = gdcm.ImageReader()
reader.SetFileName("high.dcm")
assert reader.Read()
change = gdcm.ImageChangeTransferSyntax()
change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.RLELossless))
change.SetInput(reader.GetImage())
assert change.Change()
writer = gdcm.ImageWriter()
writer.SetFile(reader.GetFile())
writer.SetImage(change.GetOutput())
writer.SetFileName("copy.dcm")
assert writer.Write()
copy = pydicom.dcmread("copy.dcm")
print(f"a copy that gdcm compressed: BitsStored {copy.BitsStored}, HighBit {copy.HighBit}, words {words('copy.dcm').tolist()}")
PY
diff expected seen
echo "as seen before"
