"""Speed and memory of models of the published sizes, with random weights."""
