"""Angiogram frames read from image files, DICOM and video. Nothing here knows ground truth."""
