"""A report as a file: CSV while it is read, or a workbook by way of a temporary file; neither holds all rows in memory.

Text that a spreadsheet would take for a formula gets an apostrophe in front: names come from people.
"""

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal

from django.http import FileResponse, StreamingHttpResponse
from openpyxl import Workbook

from rewards.reports import Report, Row

Format = Literal["csv", "xlsx"]
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")  # a workbook refuses most of them; a tab or line end may begin a new cell
FORMULA = ("=", "+", "-", "@")


def safe(value: Any) -> Any:
    """Numbers as they are; text that no spreadsheet runs."""
    if not isinstance(value, str):
        return value
    text = CONTROL.sub(" ", value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def _lines(report: Report) -> Iterator[Row]:
    for line in _cells(report):
        yield tuple(safe(cell) for cell in line)


def _cells(report: Report) -> Iterator[Row]:
    yield from ((note,) for note in report.notes)
    yield report.columns
    yield from report.rows


class _Line:
    """A file for `csv.writer` that hands back what it is given."""

    def write(self, text: str) -> str:
        return text


def _csv(lines: Iterable[Row]) -> Iterator[str]:
    """Semicolons and a byte order mark: what a Dutch spreadsheet opens without questions."""
    table = csv.writer(_Line(), delimiter=";", lineterminator="\r\n")
    yield "\ufeff"
    for line in lines:
        yield table.writerow(line)


def _xlsx(lines: Iterable[Row]) -> IO[bytes]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for line in lines:
        sheet.append(line)
    file = tempfile.TemporaryFile()  # noqa: SIM115 — the response closes it
    book.save(file)
    file.seek(0)
    return file


def download(report: Report, form: Format) -> StreamingHttpResponse:
    """The response that saves the report as a file."""
    name, lines = f"{report.name}.{form}", _lines(report)
    if form == "xlsx":
        return FileResponse(_xlsx(lines), as_attachment=True, filename=name, content_type=XLSX_TYPE)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_csv(lines), content_type="text/csv; charset=utf-8", headers=headers)
