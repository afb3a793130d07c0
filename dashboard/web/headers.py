"""Headers of every answer: a strict content security policy, no sniffing, no framing, no caching of people's data."""

from __future__ import annotations

from flask import Flask, Response, request

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def common(*, https: bool) -> list[tuple[str, str]]:
    """The headers of every answer that is no static file; `https` adds HSTS."""
    found = [
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ]
    if https:
        found.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    return [*found, ("Cache-Control", "no-store")]


def install(app: Flask, *, https: bool) -> None:
    """Add the headers; `https` adds HSTS."""
    listed = common(https=https)

    @app.after_request
    def headers(response: Response) -> Response:
        static = (request.endpoint or "").endswith(("static", "web.htmx"))
        for name, value in listed:
            # an answer may say something stricter of its own
            if name in {"Content-Security-Policy", "Referrer-Policy"}:
                response.headers.setdefault(name, value)
            elif name != "Cache-Control" or not static:
                response.headers[name] = value
        return response
