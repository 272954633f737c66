"""highdicom, which refuses to write segmentations of angiograms, reads those of the kit to the pixel."""

import subprocess

import numpy as np
import pytest
from pydicom import dcmread

from tests.data.exchange.test_dicom_seg import cine, mask_of, sent, written
from tests.model.test_bare_environment import built_python

READ = """
import sys
import highdicom, numpy
folder, uid, *frames = sys.argv[1:]
seg = highdicom.seg.segread(f"{folder}/segmentations/P1-S1-F000.dcm")
if frames:
    masks = seg.get_pixels_by_source_frame(uid, [int(one) for one in frames], combine_segments=True)
else:
    masks = seg.get_pixels_by_source_instance([uid], combine_segments=True)
numpy.save(f"{folder}/read.npy", masks)
"""


@pytest.mark.bare
@pytest.mark.releases
def test_highdicom_reads_each_frame_by_the_source_that_it_refers_to(tmp_path):
    python = built_python("highdicom", ("highdicom==0.28.2",), installed=True)
    still, moving = cine(tmp_path / "a.dcm", 1), cine(tmp_path / "b.dcm")
    for name, cases, frames in (("still", sent(still, (None,)), ()), ("cine", sent(moving, (0, 2)), (1, 3))):
        written(tmp_path / name, cases)
        uid = dcmread(next((tmp_path / name / "frames").iterdir())).SOPInstanceUID
        words = [python, "-I", "-c", READ, tmp_path / name, uid, *map(str, frames)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        expected = [mask_of(frame - 1) for frame in frames] or [mask_of(0)]
        assert np.array_equal(np.load(tmp_path / name / "read.npy").astype(bool), expected)
