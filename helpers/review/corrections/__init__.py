"""Masks that people corrected: the artefact, where a correction begins, and the merging of several readers' work."""
