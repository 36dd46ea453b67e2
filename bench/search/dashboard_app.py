"""optuna-dashboard behind a token: the process that `sparsebench ui --optuna` starts."""

import sys

from ..system.pages.guard import serve_guarded


def _main() -> None:
    """Serves a storage until a signal; the arguments are host, port and the storage's URL."""
    host, port, storage = sys.argv[1:]
    from optuna_dashboard import wsgi
    from uvicorn.middleware.wsgi import WSGIMiddleware  # type: ignore[attr-defined, unused-ignore]

    serve_guarded(WSGIMiddleware(wsgi(storage)), host, int(port))


if __name__ == "__main__":
    _main()
