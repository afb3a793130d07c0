"""htmx from the package that keeps it current, and a content hash for our own files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Flask, send_from_directory
from werkzeug.wrappers import Response

web = Blueprint("web", __name__)


@lru_cache(maxsize=1)
def _htmx_folder() -> Path:
    spec = find_spec("django_htmx")  # found, never imported: only its static files are used
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "static" / "django_htmx"


@web.get("/assets/htmx/<path:filename>")
def htmx(filename: str) -> Response:
    """Only the two files that we use."""
    if filename not in {"htmx-2.min.js"}:
        from werkzeug.exceptions import NotFound

        raise NotFound
    return send_from_directory(_htmx_folder(), filename, max_age=86400)


def asset_version(folder: Path) -> str:
    """A short hash over our static files: a new version of any is fetched at once, an old one stays cached."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def install(app: Flask) -> None:
    """Register the blueprint and `asset_version`."""
    app.register_blueprint(web)
    app.jinja_env.globals["asset_version"] = asset_version(Path(app.static_folder or ""))
