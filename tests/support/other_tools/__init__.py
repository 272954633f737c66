"""Scripts that read and write with another tool's own code, for `tests/data/exchange/test_other_tools.py`.

Each is called as `python SCRIPT FOLDER` in an environment that holds the tool and nothing of this kit. It reads what
the kit wrote in FOLDER/given, keeps the masks in FOLDER/read.npz, and writes those of FOLDER/masks.npz to
FOLDER/theirs.
The files in `tests/data/exchange/recorded` were written by them too.
"""
