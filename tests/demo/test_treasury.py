"""What a newcomer goes through with the demo's statements: imported and matched, they differ in what is listed, and
home says how the day stands."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.app import create_app
from dashboard.database import db, session, transaction
from dashboard.home import treasury as home_treasury
from dashboard.home.demo_data import loading
from dashboard.home.demo_data.statements import bookings, folder
from dashboard.settings import Settings
from dashboard.treasury.matching import queries as matching
from dashboard.treasury.matching.models import ReconBreak, ReconMatch
from dashboard.treasury.matching.services import runs
from dashboard.treasury.positions.services import working_out
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.services import importing
from dashboard.treasury.statements.services.staging import Staging
from tests.conftest import Browser, Databases, People

SignIn = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def application(databases: Databases, configured: Settings) -> Iterator[Flask]:
    app_url, owner_url = databases.clone("countinghouse_demo_treasury")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    loading.load(owner_url, chosen, clients=400, transactions=9_000, seed=1)
    app = create_app(chosen)
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    yield app
    with app.app_context():
        db.engine.dispose()
    databases.drop("countinghouse_demo_treasury")


@pytest.fixture
def treasurer(app: Flask, people: People) -> Actor:
    return people.actor(Role.TREASURER)


@pytest.fixture
def last(app: Flask) -> date:
    """The last business day that has ended."""
    found = bookings.last_closed()
    assert found is not None
    return found


@pytest.fixture
def written(last: date, tmp_path: Path) -> list[folder.Day]:
    return folder.write(tmp_path, last, owner="Kontora Money UAB")


def imported(path: Path, by: Actor) -> None:
    with transaction():
        row = importing.begin(path, name=path.name, source="command", by=by)
        staging = Staging(row.id, path)
        while staging.step():
            pass
        importing.read_to_the_end(row)
        importing.commit(row.id, by=by)


def matched(provider: str, day: date) -> None:
    for view in register.accounts(provider=provider):
        with transaction():
            run_id = runs.ask(view.id, day, dry=False, by=system("matching")).id
            runs.perform(run_id, by=system("matching"))


def files(days: list[folder.Day], provider: str) -> list[Path]:
    return [path for day in days for path in day.files if path.name.startswith(provider)]


def planted(day: folder.Day, provider: str) -> Counter[tuple[str, str, int]]:
    """Account, kind and what the break is about, in minor units, of one provider's differences."""
    said: dict[str, Any] = json.loads((day.folder / folder.LIST).read_text("utf-8"))
    return Counter(
        (each["account"], each["found"], int(Decimal(each["bank"] or each["ledger"]) * 100))
        for each in said["differences"]
        if each["provider"] == provider
    )


def found(provider: str) -> Counter[tuple[str, str, int]]:
    numbers = {view.id: view.number for view in register.accounts(provider=provider)}
    rows = session().scalars(sa.select(ReconBreak).where(ReconBreak.bank_account_id.in_(list(numbers))))
    return Counter(
        (
            numbers[row.bank_account_id],
            row.kind,
            row.bank_minor if row.bank_minor is not None else row.ledger_minor or 0,
        )
        for row in rows
    )


@pytest.mark.parametrize("provider", ["bank-alpha", "sandbox"])
def test_matching_finds_exactly_what_was_planted(
    provider: str, written: list[folder.Day], last: date, treasurer: Actor
) -> None:
    for path in files(written, provider):
        imported(path, treasurer)
    for state in statements.states(last):
        if state.account.provider == provider:
            assert state.statement is not None
            assert (state.statement.tie_out, state.statement.continuity) == ("passed", "passed")
    matched(provider, last)
    assert found(provider) == planted(written[-1], provider)
    # nothing is left to guess, and the breaks and what is under way explain the whole difference
    assert not session().scalars(sa.select(ReconMatch).where(ReconMatch.state == "proposed")).all()
    for view in register.accounts(provider=provider):
        assert matching.equation(view.id, last).unexplained_minor == 0


def test_the_order_of_the_files_does_not_matter(written: list[folder.Day], last: date, treasurer: Actor) -> None:
    for path in reversed(files(written, "bank-alpha")):
        imported(path, treasurer)
        matched("bank-alpha", last) if path.parent == written[-1].folder else None
    matched("bank-alpha", last)
    live = [each for each in session().scalars(sa.select(ReconBreak)) if each.state != "resolved"]
    assert len(live) == sum(planted(written[-1], "bank-alpha").values())


# --- home ---------------------------------------------------------------------------------------------------------


def lines_of(page: str) -> dict[str, str]:
    """Of each currency in the panel of the day: its words."""
    panel = page[page.index('aria-label="Business day"') :]
    listed = re.findall(r'<li><span class="code">([A-Z]{3})</span>(.*?)</li>', panel, re.S)
    return {code: " ".join(re.sub(r"<[^>]+>", " ", rest).split()) for code, rest in listed}


def test_home_says_whose_statement_is_missing(signed_in: SignIn, last: date) -> None:
    page = signed_in(Role.TREASURER).get("/").text
    assert f"{last:%a} {last.day} {last:%b}</time>" in page
    told = lines_of(page)
    assert set(told) == {"EUR", "GBP", "PLN", "USD"}
    assert all(words.startswith("no data No data") and "statement" in words for words in told.values())
    assert "Payment services" in told["USD"] and "0.00" not in "".join(told.values())
    assert "Not run for this day." in page


def test_home_puts_what_treasurers_do_first(signed_in: SignIn) -> None:
    page = signed_in(Role.TREASURER).get("/").text
    assert re.findall(r'aria-keyshortcuts="\d">([^<]+)<', page)[:3] == ["Breaks", "Statements", "Day sign-off"]
    # statements and days are nobody's to take
    assert "Take the next" not in page
    assert 'href="/treasury/statements"' in page and 'href="/treasury/days"' in page


def test_who_may_not_read_treasury_sees_none_of_it(signed_in: SignIn) -> None:
    for role in (Role.OFFICER, Role.ADMIN):
        page = signed_in(role).get("/").text
        assert 'aria-label="Business day"' not in page and 'href="/treasury' not in page
    assert 'aria-label="Business day"' in signed_in(Role.AUDITOR).get("/").text


def test_home_says_short_with_the_amount_and_opens_it(
    signed_in: SignIn, last: date, treasurer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction():
        version = working_out.work_out("paymentServices", "usd", last, by=treasurer)
        assert version is not None
        session().execute(
            sa.text(
                "UPDATE treasury_position SET resource_minor = requirement_minor - 120450, received_minor = 0,"
                " sent_minor = 0, excess_minor = -120450, internal = 'failed' WHERE treasury_day_id = :id"
            ),
            {"id": version.treasury_day_id},
        )
    page = signed_in(Role.TREASURER).get("/").text
    assert lines_of(page)["USD"].startswith("−1,204.50 Short Payment services")
    assert f'href="/treasury/safeguarding?pool=paymentServices&amp;currency=usd&amp;day={last}"' in page
    # shortfalls come first
    assert next(iter(lines_of(page))) == "USD"


def test_a_panel_that_cannot_be_read_takes_nothing_else_away(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_day: date) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("the server went away"))

    monkeypatch.setattr(home_treasury, "_lines", fail)
    page = signed_in(Role.TREASURER).get("/")
    assert page.status_code == 200
    assert "Nothing is known of it." in page.text and "Queues" in page.text
