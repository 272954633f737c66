"""Scores of vessel masks on arrays: no files, no tables."""
