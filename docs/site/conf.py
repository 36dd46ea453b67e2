"""The documentation as a site: `tox -e docs` builds it with Sphinx from the repository's root.

The pages are the Markdown files that a forge shows too, so their links are the forge's. Made at build time:
the contents beside each page (`contents`), a page for each method (`method_pages`), and the reference from
the docstrings (`api_pages`, `docstrings`).
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "sparsebench"
author = copyright = "the sparsebench contributors"
version = release = installed("sparsebench")

# Sources: what a forge shows, and what is made of the package.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "reports/results/**", "benchmarks/README.md"]
exclude_patterns = ["docs/site", "**/.*"]
extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
    "contents", "docstrings", "method_pages", "api_pages",
]  # fmt: skip
myst_enable_extensions = ["attrs_block", "colon_fence"]
myst_heading_anchors = 4
napoleon_use_ivar = True
smartquotes = False  # an apostrophe may be part of an equation

# Notebooks are run in a folder of their own; one that fails is an error.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 600  # seconds a cell: a busy machine is slow
nb_execution_raise_on_error = True
nb_output_stderr = "remove"

# Looks: nothing is asked from outside the machine.
html_theme = "furo"
html_title = f"sparsebench {version}"
html_copy_source = False
html_show_search_summary = False  # it fetches pages, which no browser allows from disk
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_additional_pages = {"index": "to_contents.html"}
