"""One view, two shapes: the whole page, or the part that HTMX asked for."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse


def wants_fragment() -> bool:
    """HTMX asks, and not to restore its history (then it needs the whole page)."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def page_or_fragment(page: str, fragment: str, *, status: int = 200, **context: Any) -> Response:
    """Render the fragment for HTMX and the page that includes it for everybody else."""
    response = make_response(render_template(fragment if wants_fragment() else page, **context), status)
    response.headers.add("Vary", "HX-Request")
    return response


def dialog(fragment: str, *, title: str, close_url: str, status: int = 200, **context: Any) -> Response:
    """A dialog's fragment, which without scripts is a page of its own with this title and a way back."""
    return page_or_fragment(
        "components/dialog_page.html", fragment, status=status, included=fragment, title=title, close_url=close_url,
        **context,
    )  # fmt: skip


def go(url: str) -> AnyResponse:
    """After a POST: a redirect, or its HTMX spelling."""
    if wants_fragment():
        response = Response("", status=200)
        response.headers["HX-Redirect"] = url
        return response
    return redirect(url, code=303)
