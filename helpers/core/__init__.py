"""What every package stands on: errors, paths, whole writes, locks, progress. It knows no artefact."""
