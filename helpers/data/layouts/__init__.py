"""One reader for each layout in which users keep frames and annotations."""
