"""The OpenAPI document and Swagger UI, served from here without a foreign host and without inline scripts."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_openapi3.models import Schema
from flask_openapi3.utils import get_model_schema
from werkzeug.exceptions import NotFound

from dashboard.web.api import FailedEnvelope

DESCRIPTION = """
Core banking API. Send `Authorization: Bearer <token>`; tokens are made with `flask tokens create`.

Lists page by `cursor`: rows committed before the first page and unchanged in the sort key appear exactly once.
Failures come as `application/problem+json` with a stable `code` and per-field `errors`, or, where an operation
answers in the result envelope, in the same envelope.
"""

#: the library's page has an inline style and script, which our security policy refuses
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · Countinghouse</title>
<link rel="icon" type="image/svg+xml" href="{{ url_for('swagger.static', filename='images/swagger.svg') }}">
<link rel="stylesheet" href="{{ url_for('swagger.static', filename='css/swagger-ui.css') }}">
<script defer src="{{ url_for('swagger.static', filename='js/swagger-ui-bundle.js') }}"></script>
<script defer src="{{ url_for('static', filename='js/api_docs.js', v=asset_version) }}"></script>
</head>
<body>
<main id="swagger-ui" data-document="{{ url_for('openapi.doc_url') }}"></main>
<noscript>The document itself: <a href="{{ url_for('openapi.doc_url') }}">openapi.json</a></noscript>
</body>
</html>
"""


def _not_here() -> Any:
    """The library's page for OAuth: its script is inline, and nobody signs in that way."""
    raise NotFound


def _add_component(app: Any, model: type[FailedEnvelope]) -> None:
    schema = get_model_schema(model)
    app.components_schemas[model.__name__] = Schema(**schema)
    for name, definition in schema.get("$defs", {}).items():
        app.components_schemas[name] = Schema(**definition)


def install(app: Flask) -> None:
    """Our own Swagger page, at /openapi/ and /openapi/swagger, and the schemas that operations only refer to."""
    app.config["SWAGGER_HTML_STRING"] = PAGE
    app.config["OPENAPI_HTML_STRING"] = PAGE
    app.view_functions["swagger.oauth2-redirect"] = _not_here
    _add_component(app, FailedEnvelope)
