"""MLflow's application behind a token: the process that `sparsebench ui` starts.

MLflow's pages and its artifacts show whatever the server's user can read, and it has no login of its own that
works without an account.
"""

import os
import sys
from typing import Any

from ..system.pages.guard import serve_guarded

# At the first visit of an address MLflow opens its assistant, a chat with a language model, over a quarter of
# the page; every `sparsebench ui` may have another port. Its button stays.
CLOSED_ASSISTANT = (
    b"<script>localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')</script>"
)


def _without_assistant(response: Any) -> Any:
    """Returns the answer of MLflow's Flask application; the page itself with the assistant closed."""
    if response.mimetype == "text/html":
        response.direct_passthrough = False
        response.set_data(response.get_data().replace(b"<head>", b"<head>" + CLOSED_ASSISTANT, 1))
    return response


def _main() -> None:
    """Serves a database until a signal; the arguments are host, port, database URI and artifacts' URI."""
    host, port, database, artifacts = sys.argv[1:]
    from mlflow.server import constants

    # What `mlflow server` passes to its application.
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = database
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = database
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = artifacts
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = artifacts
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    pages.after_request(_without_assistant)
    initialize_backend_stores(database, database, artifacts)
    serve_guarded(app, host, int(port))


if __name__ == "__main__":
    _main()
