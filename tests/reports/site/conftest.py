"""What several tests of pages share."""

from collections.abc import Iterator

import pytest
from chromium import Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser of the module's own."""
    started = Chromium(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
