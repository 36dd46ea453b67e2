"""Every registered method passes the conformance suite that the package exports."""

from sparsebench.bench.conformance import MethodConformance
from sparsebench.methods.api import registry

# Knobs with which a method is worth checking, where its defaults do nothing in a hundred steps.
KNOBS: dict[str, dict[str, object]] = {}

for name in registry:
    title = "Test" + "".join(part.title() for part in name.split("_"))
    globals()[title] = type(title, (MethodConformance,), {"method": name, "knobs": KNOBS.get(name, {})})
