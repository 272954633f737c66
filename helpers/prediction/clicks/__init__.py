"""Masks refined by clicks, boxes and earlier masks, with the model's own SAM2."""
