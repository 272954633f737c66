"""Scores of vessel masks, on arrays and tables: no files, no run folders."""
