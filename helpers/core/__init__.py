"""The base of every package: errors, paths, documents, whole writes, locks, progress. It knows no artefact."""
