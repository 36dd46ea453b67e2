"""Every registered method passes the conformance suite that the package exports."""

from sparsebench.bench.conformance import MethodConformance
from sparsebench.methods.api import registry

# Knobs with which a method is worth checking, where its defaults do nothing in a hundred steps.
KNOBS: dict[str, dict[str, object]] = {}

# Networks to check a method on, where it is not for all.
NETS: dict[str, tuple[str, ...]] = {"slimming": ("conv",)}

for name in registry:
    title = "Test" + "".join(part.title() for part in name.split("_"))
    own = {"method": name, "knobs": KNOBS.get(name, {}), "nets": NETS.get(name, MethodConformance.nets)}
    globals()[title] = type(title, (MethodConformance,), own)
