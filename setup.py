"""Where the packages lie: the four folders at the root become `sparsebench.<folder>`.

A static list in pyproject.toml would silently drop new subpackages from the wheel, so it is computed.
"""

from setuptools import find_packages, setup

ROOMS = ("methods", "datasets", "bench", "reports")

packages = ["sparsebench", *(f"sparsebench.{name}" for name in find_packages("pkg/sparsebench"))]
package_dir = {"sparsebench": "pkg/sparsebench"}
for room in ROOMS:
    package_dir[f"sparsebench.{room}"] = room
    packages.append(f"sparsebench.{room}")
    packages += [f"sparsebench.{room}.{name}" for name in find_packages(room)]

setup(
    packages=packages,
    package_dir=package_dir,
    package_data={
        "sparsebench": ["py.typed"],
        "sparsebench.methods": ["*.c"],
        "sparsebench.bench": ["suites/*.toml", "suites/entries/*.toml"],
        "sparsebench.bench.board": ["templates/*"],
        "sparsebench.reports.statistics": ["search_spread.json"],
        "sparsebench.reports.site": ["templates/*.html", "assets/*.css", "assets/*.js", "assets/*.LICENSE"],
    },
)
