"""What goes wrong is told in the same house: no stack trace, no secret, the request's id, and no HTML to a machine."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import BadRequest, MethodNotAllowed, RequestEntityTooLarge, TooManyRequests

from dashboard.access.permissions import Audience, Role
from dashboard.errors import Conflict, Forbidden, NotFound, Refused
from dashboard.web.limits import TooMany


def _broken(*_args: Any, **_kwargs: Any) -> str:
    raise RuntimeError("secret words of somebody")


@pytest.fixture
def broken(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`broken("home.show")` makes a view fail as a bug would."""

    def break_view(endpoint: str) -> None:
        access = app.view_functions[endpoint].access  # type: ignore[attr-defined]
        view = type("Broken", (), {"__call__": staticmethod(_broken), "access": access})()
        monkeypatch.setitem(app.view_functions, endpoint, view)

    return break_view


def test_a_failure_is_a_page_of_the_house_with_the_requests_id(
    signed_in: Callable[..., FlaskClient], broken: Callable[[str], None]
) -> None:
    browser = signed_in(Role.OFFICER)
    broken("home.show")
    answer = browser.get("/")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert "Something failed on our side." in page
    assert answer.headers["X-Request-Id"] in page
    assert "secret" not in page and "Traceback" not in page


def test_a_failure_is_never_a_page_to_a_machine(
    machine: Callable[..., Any], broken: Callable[[str], None], logged: io.StringIO
) -> None:
    caller = machine(Audience.SYSTEM)
    broken("client_operations.find_clients")
    answer = caller.call("GET", "/internal/Clients")
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == "internal"
    assert answer.get_json()["requestId"] == answer.headers["X-Request-Id"]
    assert "RuntimeError" in logged.getvalue() and "secret" not in logged.getvalue()


def test_too_many_tries_are_told_in_the_house_too(
    app: Flask, http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(*_args: Any, **_kwargs: Any) -> str:
        raise TooManyRequests

    monkeypatch.setitem(app.view_functions, "health.healthz", too_many)
    answer = http.get("/healthz")
    assert answer.status_code == 429
    assert "Too many tries." in answer.get_data(as_text=True)


@pytest.mark.parametrize(("path", "status"), [("/no-such-page", 404), ("/clients/not-an-id", 404)])
def test_an_address_that_does_not_exist_is_told_in_the_house(http: FlaskClient, path: str, status: int) -> None:
    answer = http.get(path)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"


def test_an_operation_that_does_not_exist_is_told_as_json(http: FlaskClient) -> None:
    answer = http.get("/internal/Nothing")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


#: what each status is raised as where no request of this table would bring it
RAISED: dict[int, Callable[[], BaseException]] = {
    400: BadRequest,
    403: lambda: Forbidden("Your role cannot do this."),
    404: lambda: NotFound("There is no such thing."),
    405: lambda: MethodNotAllowed(["GET"]),
    409: lambda: Conflict("This changed meanwhile."),
    413: RequestEntityTooLarge,
    422: lambda: Refused("A rule refuses."),
    429: lambda: TooMany("Too often."),
    500: lambda: ValueError("secret words of somebody"),
    503: lambda: sa.exc.OperationalError("SELECT 1", {}, Exception("secret words of somebody")),
}


@pytest.mark.parametrize("status", sorted(RAISED))
def test_every_failure_carries_the_requests_id_in_each_of_its_forms(
    app: Flask,
    signed_in: Callable[..., FlaskClient],
    http: FlaskClient,
    machine: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> str:
        raise RAISED[status]()

    system, browser = machine(Audience.SYSTEM), signed_in(Role.OFFICER)
    for endpoint in (
        "home.show", "health.healthz", "client_operations.find_clients", "client_operations.read_client",
    ):  # fmt: skip
        view = app.view_functions[endpoint]
        kept = {name: getattr(view, name) for name in ("access", "enveloped") if hasattr(view, name)}
        monkeypatch.setitem(
            app.view_functions, endpoint, type("Failing", (), {"__call__": staticmethod(fail), **kept})()
        )
    page, part, outside = browser.get("/"), browser.get("/", headers={"HX-Request": "true"}), http.get("/healthz")
    for answer in (page, part, outside):
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
        assert f"<code>{answer.headers['X-Request-Id']}</code>" in answer.text
        assert "secret" not in answer.text
    assert '<nav class="rail"' in page.text and "<html" not in part.text and 'class="outside"' in outside.text
    problem = system.call("GET", "/internal/Clients")
    envelope = system.call("GET", f"/internal/Clients/{uuid4()}")
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")
    assert (envelope.status_code, envelope.mimetype) == (status, "application/json")
    for answer in (problem, envelope):
        assert answer.get_json()["requestId"] == answer.headers["X-Request-Id"]
        assert "secret" not in answer.text
    assert problem.get_json()["status"] == status and envelope.get_json()["isFailed"] is True
