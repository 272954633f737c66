"""From a training checkpoint to a model folder: `read` opens files safely, `convert` exports, `verify` checks."""
