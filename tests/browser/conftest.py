"""A real Chromium against the application on a database of its own, served on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from dashboard import settings
from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.database import db, session, transaction
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from tests.browser.install_chromium import chromium_path
from tests.conftest import PASSWORD, Databases, hashed_once, open_session, own_database

# A request that was given up (another page was opened, a newer question asked) is no fault. htmx prints two lines then,
# the second of which also follows `htmx:sendError`, which stays a complaint.
EXPECTED = ("Failed to load resource", "htmx:sendAbort", "htmx:afterRequest")


class Quiet(WSGIRequestHandler):
    """The application logs its requests itself."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        )
        yield browser
        browser.close()


def settled(page: Page) -> None:
    """Wait until what the page asked for by itself has arrived."""
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-settling')")


@dataclass
class Live:
    """The application on an address. `sign_in` gives a page of a person; `token` a secret for machines."""

    app: Flask
    url: str
    open_page: Callable[..., Page]
    complaints: list[str]

    def staff(self, role: Role, name: str) -> str:
        """Make a staff member; gives the e-mail address."""
        email = f"{name.lower().replace('. ', '.').replace(' ', '.')}@test.example"
        with self.app.app_context(), hashed_once(), transaction():
            staff_services.create_member(email=email, role=role, password=PASSWORD, name=name, by=system())
        return email

    def token(self, audience: Audience, *scopes: str) -> str:
        with self.app.app_context(), transaction():
            _token, secret = tokens.create(
                audience=audience, scopes=tokens.resolve_scopes(audience, scopes), name="browser test"
            )
        return secret

    def sign_in(self, email: str, **options: object) -> Page:
        """A new browser profile with a session of its own, as after a sign-in; no page is open yet."""
        page = self.open_page(**options)
        with self.app.app_context():
            member = session().scalars(sa.select(StaffMember).where(StaffMember.email == email)).one()
            cookie = open_session(self.app, member).get_cookie(self.app.config["SESSION_COOKIE_NAME"])
            db.session.remove()
        assert cookie is not None
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.url}])
        return page

    def sign_in_through_the_page(self, email: str, **options: object) -> Page:
        """A new browser profile, signed in by its person; it shows the home page."""
        page = self.open_page(**options)
        page.goto(f"{self.url}/sign-in")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{self.url}/")
        return page


@pytest.fixture
def live(databases: Databases, configured: settings.Settings, chromium: Browser) -> Iterator[Live]:
    """A fresh database for each test; every console error (a violated security policy among them) fails the test."""
    with own_database(databases, configured, csrf=True) as app:
        yield from _served(app, chromium)


def _served(app: Flask, chromium: Browser) -> Iterator[Live]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def listen(message: ConsoleMessage) -> None:
        # a refused form answers 4xx, which Chromium also prints; what matters here are scripts and policies
        if message.type == "error" and not any(line in message.text for line in EXPECTED):
            complaints.append(message.text)

    def open_page(**options: object) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield Live(app, f"http://127.0.0.1:{server.server_port}", open_page, complaints)
    for context in contexts:
        context.close()
    server.shutdown()
    thread.join()
    assert not complaints, complaints
