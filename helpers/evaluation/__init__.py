"""From runs and ground truth to a metrics folder: which cases, their scores, tables, comparisons."""
