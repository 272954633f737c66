"""Angiogram frames read from image files."""
