"""Sequences as moving pictures: MP4, GIF, a page that plays them, and one picture for each."""
