"""Makes the files of tests/fixtures."""
