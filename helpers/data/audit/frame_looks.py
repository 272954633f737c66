"""Frames that look odd: in colour, or of one grey."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from helpers.data.audit.findings import AuditFinding, of_case
from helpers.data.cases import Case
from helpers.data.ids.case_ids import IdPolicy

# By how much the channels of a pixel differ in a colour, beyond what JPEG makes of grey, and in what share of a frame.
_COLOURED, _COLOURED_SHARE = 32, 0.005
_TELLING = 64 * 64  # pixels of a frame that is not one grey by chance


def plain_findings(case: Case, image: Image.Image) -> Iterator[AuditFinding]:
    """A finding on a frame that shows nothing."""
    low, high = image.convert("L").getextrema()
    if low == high and image.width * image.height >= _TELLING:
        what = f"the frame is one grey everywhere, {low} of 255"
        advice = "look at its source; the window of a DICOM header may hide all that its pixels show"
        yield of_case("warning", "plain_frame", case, what, advice)


def colour_findings(case: Case, image: Image.Image, ids: IdPolicy) -> Iterator[AuditFinding]:
    """A finding on a frame in colour; a note alone where the data set is public, as eyes are photographed in colour."""
    channels = np.asarray(image).astype(np.int16)
    if np.mean(np.ptp(channels, axis=-1) > _COLOURED) < _COLOURED_SHARE:
        return
    said = "the frame is in colour, and angiograms are grey"
    advice = "look whether it holds drawings, or three frames as the channels of one picture: save each as a grey image"
    yield of_case("note" if ids is IdPolicy.PUBLIC else "warning", "in_colour", case, said, advice)
