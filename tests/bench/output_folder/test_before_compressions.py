"""A folder of the version before common compressions: reported and merged as then, and not continued.

`before_compressions` holds an archive that it packed (three entries on the digits, `points = 3`), and the
tables that it wrote.
"""

import csv
import zipfile
from pathlib import Path

import pytest
from small_suite import content
from sparsebench.bench.campaign.publish import ranked
from sparsebench.bench.config.suite import Suite
from sparsebench.bench.exchange.merge import merge
from sparsebench.bench.output_folder.folder import OutputFolder, read_identity
from sparsebench.bench.output_folder.layout import SUITE
from sparsebench.bench.progress.status import status
from sparsebench.errors import SparsebenchError
from sparsebench.records.store import load_records
from sparsebench.reports.tables.csv_json import pairs_csv, to_csv

WRITTEN = Path(__file__).parent / "before_compressions"
ARCHIVE = WRITTEN / "before.sparsebench.zip"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "before")
    (tmp_path / "before" / "manifest.json").unlink()
    return tmp_path / "before"


def table(text: str) -> list[dict[str, str | float]]:
    """The rows of a CSV file, with numbers as such."""

    def value(cell: str) -> str | float:
        try:
            return float(cell)
        except ValueError:
            return cell

    return [{name: value(cell) for name, cell in row.items()} for row in csv.DictReader(text.splitlines())]


def test_its_tables_have_the_numbers_that_they_had(before: Path, tmp_path: Path) -> None:
    merged = merge([ARCHIVE, before], tmp_path / "merged")
    assert len(merged.records) == 22
    for folder in (before, merged.folder):
        found = ranked(folder, load_records(folder))
        for text, name in ((to_csv(found), "leaderboard.csv"), (pairs_csv(found), "pairs.csv")):
            expected = table((WRITTEN / name).read_text())
            for row, was in zip(table(text), expected, strict=True):
                for column, then in was.items():  # scipy's versions differ in the twelfth digit
                    expected_now = pytest.approx(then, rel=1e-9) if isinstance(then, float) else then
                    assert row[column] == expected_now, column
        assert [row.entry for row in found[0].rows] == ["magnitude", "l1", "dense"]
        seen = status(folder)
        assert (seen.condition, seen.snapshot.finished, seen.snapshot.planned) == ("complete", 22, 22)


@pytest.mark.parametrize("lost", [(), (SUITE,)], ids=["whole", "without its suite"])
def test_it_is_not_continued(before: Path, lost: tuple[str, ...]) -> None:
    identity = read_identity(before)
    for name in lost:
        (before / name).unlink()
    there = content(before)
    for extend in (False, True):
        with pytest.raises(
            SparsebenchError, match=r"^'.*before' was begun by a version without common .*--out$"
        ):
            OutputFolder(before, Suite(**identity["suite"]), identity["data"], extend=extend).__enter__()
    assert {name: text for name, text in content(before).items() if name in there} == there
