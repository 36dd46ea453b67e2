"""Tables as text for MLflow's pages: CSV artifacts and Markdown notes. No MLflow."""

import csv
import io
from typing import Any

from ...escaping import csv_cell
from ...records.record import Record


def csv_table(rows: list[dict[str, Any]]) -> str:
    """Returns rows as CSV text with a header.

    Args:
        rows: Cell values by column; the columns are the keys of all rows in order of first appearance.

    Returns:
        The text; a cell whose row lacks the column is empty.

    Example:
        >>> print(csv_table([{"layer": "fc1", "nonzeros": 40}, {"layer": "fc2", "size": 100}]))
        layer,nonzeros,size
        fc1,40,
        fc2,,100
    """
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """Returns rows as a Markdown table with the same columns as `csv_table`.

    Args:
        rows: Cell values by column; floats are shown with six significant digits.

    Returns:
        The text, which ends with a newline.

    Example:
        >>> print(markdown_table([{"layer": "fc1", "density": 1 / 3}]))
        | layer | density |
        | --- | --- |
        | fc1 | 0.333333 |
    """
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(short_text(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def layers_csv(record: Record) -> str:
    """Returns the layers of a trial's model as CSV, which MLflow's pages show as a table.

    Args:
        record: Record of the trial.

    Returns:
        One row for each prunable tensor; `sparsity` is its fraction of zeros.

    Example:
        >>> from sparsebench.records.fields import Layer
        >>> layer = Layer(name="fc", shape=(4, 5), nonzeros=2)
        >>> print(layers_csv(record.model_copy(update={"layers": [layer]})))
        layer,shape,size,nonzeros,sparsity
        fc,4×5,20,2,0.9
    """
    rows = [
        {
            "layer": layer.name,
            "shape": "×".join(map(str, layer.shape)),
            "size": layer.size,
            "nonzeros": layer.nonzeros,
            "sparsity": round(1 - layer.nonzeros / max(1, layer.size), 6),
        }
        for layer in record.layers
    ]
    return csv_table(rows)


def short_text(value: Any) -> str:
    """Returns a value as the text of a cell or a parameter.

    Args:
        value: Any value; floats are shown with six significant digits.

    Returns:
        The text, cut off at 5000 characters, which MLflow accepts.

    Example:
        >>> short_text(1 / 3), short_text(True)
        ('0.333333', 'True')
    """
    return (f"{value:.6g}" if isinstance(value, float) else str(value))[:5000]
