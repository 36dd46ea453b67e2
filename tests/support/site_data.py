"""What the data files of a site hold, read as the scripts of its pages do."""

import json
from pathlib import Path
from typing import Any

import pytest


def given(path: Path) -> Any:
    """What a data file gives to the page that loads it."""
    text = path.read_text(encoding="utf-8")
    lead = f'give("{path.name}",'
    assert text.startswith(lead) and text.endswith(");\n") and "</" not in text and "<!--" not in text
    return json.loads(
        text.removeprefix(lead).removesuffix(");\n"), parse_constant=lambda name: pytest.fail(name)
    )
