"""An output folder that a campaign has begun."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_suite import DIGESTS, suite
from sparsebench.bench.output_folder.folder import OutputFolder
from sparsebench.records.record import Record
from sparsebench.records.store import Store


@pytest.fixture
def begun(tmp_path: Path, make_record: Callable[..., Record]) -> Path:
    """A folder that holds a campaign's records."""
    with OutputFolder(tmp_path / "out", suite(), DIGESTS):
        Store(tmp_path / "out").append(make_record(compressions=suite().budget.compressions))
    return tmp_path / "out"
