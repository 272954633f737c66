#!/bin/bash
# Expected: SimpleITK reads a DICOM Segmentation object (BINARY, one bit a pixel) as pydicom and highdicom do, or refuses it.
# Happens:  where the pixels of all frames together fill no whole bytes, its last pixels, up to seven in the lower right corner
#           of the last frame, hold whatever lay in memory: of three frames of 17 x 12 that are vessel throughout, four pixels
#           are 0, 6 or another number from call to call. No warning comes. Where they do fill bytes, all is right (as 0 and 255).
# Versions: SimpleITK 2.5.7, highdicom 0.28.2, pydicom 3.0.2, numpy 2.4.6; Linux, Python 3.11.
# Matters:  frames are cropped to odd sizes before they are segmented. `array > 0` then finds vessel in a corner where nobody
#           drew any, in one run and not in the next: one such pixel sets a Hausdorff distance and adds a component.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat > "$folder/expected" <<'EXPECTED'
17 x 12, 3 frames, all vessel: pydicom misses [0, 0, 0] pixels, SimpleITK [0, 0, 4], at [[11, 13], [11, 14], [11, 15], [11, 16]]
17 x 12, 2 frames, all vessel: pydicom misses [0, 0] pixels, SimpleITK [0, 0], at []
EXPECTED
cd "$folder"
venv/bin/python - <<'PY' | tee seen
import highdicom
import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

STUDY, SERIES, SPACE = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "space"))


def slice_at(place: int) -> pydicom.Dataset:
    """A frame of 17 x 12 pixels with a place in space, which highdicom asks for."""
    image = pydicom.Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = SecondaryCaptureImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid(entropy_srcs=[str(place)])
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, SPACE
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        setattr(image, keyword, "")
    image.AccessionNumber = image.StudyID = image.ReferringPhysicianName = ""
    image.Modality, image.InstanceNumber, image.SliceThickness = "OT", place + 1, 1
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, place]
    image.PixelSpacing, image.Rows, image.Columns = [1, 1], 12, 17
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelData = bytes(12 * 17)
    return image


vessel = highdicom.seg.SegmentDescription(1, "vessel", codes.SCT.AnatomicalStructure, codes.SCT.Artery, "MANUAL")
for count in (3, 2):
    masks = np.ones((count, 12, 17), bool)
    segmentation = highdicom.seg.Segmentation(
        [slice_at(place) for place in range(count)], masks, "BINARY", [vessel],
        highdicom.UID(), 1, highdicom.UID(), 1, "maker", "model", "1", "1",
    )
    segmentation.save_as("seg.dcm")
    own = pydicom.dcmread("seg.dcm").pixel_array
    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("seg.dcm"))
    missed = [[int((frame != full).sum()) for frame in stack] for stack, full in ((own, 1), (itk, 255))]
    places = np.argwhere(itk[-1] != 255).tolist()
    print(f"17 x 12, {count} frames, all vessel: pydicom misses {missed[0]} pixels, SimpleITK {missed[1]}, at {places}")
PY
diff expected seen
echo "as seen before"
