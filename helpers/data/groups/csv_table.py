"""The rows of a CSV file as spreadsheets and other tools write it."""

import csv
import re
from collections import Counter
from pathlib import Path

from helpers.core.errors import UsageProblem

_DELIMITERS = (",", ";", "\t")  # the second is what spreadsheets write where a comma marks decimals
# The first line of a table that a spreadsheet wrote for itself.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def table_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, by column; columns whose title stands twice are left out, since it could mean either.

    Raises:
        UsageProblem: for a file that cannot be read.
    """
    try:
        with path.open("rb") as start:
            encoding = "utf-16" if start.read(2) in _UTF_16 else "utf-8-sig"
        with path.open(newline="", encoding=encoding) as file:
            head = file.readline()
            stated = _SEPARATOR_LINE.fullmatch(head.strip())
            if stated is None:
                file.seek(0)
            reader = csv.DictReader(file, delimiter=stated[1] if stated else max(_DELIMITERS, key=head.count))
            rows, titles = list(reader), Counter(reader.fieldnames or ())
    except UnicodeDecodeError as error:
        raise UsageProblem(
            f"{path}: expected a CSV file in UTF-8, found another encoding. Save it as UTF-8, in a spreadsheet as "
            '"CSV UTF-8"'
        ) from error
    except (OSError, csv.Error) as error:
        raise UsageProblem(f"{path}: expected a CSV file in UTF-8, {type(error).__name__}. Save it so") from error
    twice = {title for title, count in titles.items() if count > 1}
    return [{title: cell for title, cell in row.items() if title not in twice} for row in rows]
