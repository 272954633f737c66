"""Predictions of an exported model for a folder of frames. Nothing in this package can read ground truth."""
