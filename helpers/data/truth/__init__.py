"""Ground truth as its files hold it: polygons, mask files, run-length codes; what values and labels mean."""
