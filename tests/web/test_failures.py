"""What goes wrong is told in the same house: no stack trace, no secret, the request's id, and no HTML to a machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import TooManyRequests

from dashboard.access.permissions import Audience, Role


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
    machine: Callable[..., Any], broken: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    caller = machine(Audience.SYSTEM)
    broken("client_operations.find_clients")
    answer = caller.call("GET", "/internal/Clients")
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == "internal"
    assert answer.get_json()["requestId"] == answer.headers["X-Request-Id"]
    assert "secret" not in capsys.readouterr().err


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
