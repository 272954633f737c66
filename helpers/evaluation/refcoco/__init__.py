"""Referring segmentation scored in the RefCOCO way: one expression a row, cIoU and gIoU."""
