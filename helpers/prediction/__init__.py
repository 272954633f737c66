"""From frames to a run folder. Only `imports` reads masks, those of others; nothing reads ground truth."""
