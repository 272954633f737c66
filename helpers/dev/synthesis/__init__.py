"""Synthetic coronary angiograms with exact masks, from a seed."""
