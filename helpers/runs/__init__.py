"""The run folder (docs/run-format.md): what inference writes, and evaluation and review read."""
