"""The pages of business days, and the command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.ledger.models import BusinessDay
from dashboard.ledger.services import days, snapshots
from tests.ledger.conftest import Book


def end() -> date:
    day = days.open_day().day
    snapshots.end_of_day(day, by=system())
    return day


def page(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return str(answer.get_data(as_text=True))


def test_the_page_says_which_day_is_open_and_what_closed_ones_came_to(
    book: Book, signed_in: Callable[..., Any]
) -> None:
    book.account(123_456)
    browser = signed_in(Role.TREASURER)
    first = page(browser.get("/ledger/days"))
    assert "No business day has ended yet." in first
    assert "1 transaction<" in first.replace("\n", "")
    closed = end()
    text = page(browser.get("/ledger/days"))
    assert days.in_words(closed) in text and "1,234.56 EUR" in text and "Ties out" in text
    assert f"End business day {days.in_words(days.open_day().day)}…" in text
    assert "no transactions yet" in text


def test_the_dialog_reads_back_both_days_and_ends_the_one_that_was_read(
    book: Book, signed_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(Role.TREASURER)
    day = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda asked: asked <= day)
    following = days.following(day)
    text = page(browser.get("/ledger/days/end"))
    assert days.in_words(day) in text and days.in_words(following) in text
    assert "End it anyway" not in text
    sent = {"day": day.isoformat(), "next_day": following.isoformat()}
    answer = browser.post("/ledger/days/end", data=sent)
    assert (answer.status_code, answer.location) == (303, "/ledger/days")
    assert days.open_day().day == following
    again = browser.post("/ledger/days/end", data=sent, follow_redirects=True)
    assert "had ended already" in page(again)
    assert days.open_day().day == following


@pytest.mark.parametrize(
    ("day", "next_day"),
    [("", ""), ("nonsense", ""), ("2999-01-01", ""), (None, "2999-01-01"), (None, "31.12.2026")],
)
def test_a_wrong_day_ends_nothing_and_keeps_the_dialog(
    book: Book, signed_in: Callable[..., Any], day: str | None, next_day: str
) -> None:
    opened = days.open_day().day
    sent = {"day": opened.isoformat() if day is None else day, "next_day": next_day, "ahead": "y", "reason": "x"}
    text = page(signed_in(Role.TREASURER).post("/ledger/days/end", data=sent), 422)
    assert "End business day" in text
    assert days.open_day().day == opened


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, ["Tick the box to end it anyway.", "Say why."]),
        ({"ahead": "y"}, ["Say why."]),
        ({"ahead": "y", "reason": "  "}, ["Say why."]),
        ({"reason": "year end"}, ["Tick the box to end it anyway."]),
        ({"ahead": "y", "reason": "x" * 2_001}, ["Use at most 2000 characters."]),
    ],
)
def test_a_day_that_has_not_begun_is_not_ended_by_one_click(
    book: Book,
    signed_in: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, str],
    told: list[str],
) -> None:
    opened = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda _asked: False)
    browser = signed_in(Role.TREASURER)
    for url in ("/ledger/days", f"/ledger/days/{opened}"):
        assert '<a class="btn" href="/ledger/days/end"' in page(browser.get(url))
    text = page(browser.post("/ledger/days/end", data={"day": opened.isoformat(), **said}), 422)
    assert f"{days.in_words(opened)} has not begun. End it anyway." in text
    assert [each for each in ("Tick the box to end it anyway.", "Say why.", "Use at most 2000") if each in text] == [
        each.removesuffix(" characters.") for each in told
    ]
    assert days.open_day().day == opened


def test_the_page_of_an_ended_day_says_who_ended_it_and_why_so_early(
    book: Book, signed_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda _asked: False)
    browser = signed_in(Role.TREASURER)
    assert "Ended by" not in page(browser.get(f"/ledger/days/{opened}"))
    sent = {"day": opened.isoformat(), "ahead": "y", "reason": "The office is closed that day."}
    assert browser.post("/ledger/days/end", data=sent).status_code == 303
    text = page(browser.get(f"/ledger/days/{opened}"))
    ended_by = (
        session().scalars(sa.select(AuditEvent.actor_name).where(AuditEvent.action == "business_day.ended")).one()
    )
    assert f"<dt>Ended by</dt><dd>{ended_by}, " in text
    assert "The office is closed that day." in text


def test_a_day_that_has_begun_ends_without_a_reason(
    book: Book, signed_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda _asked: True)
    browser = signed_in(Role.TREASURER)
    assert '<a class="btn btn-primary" href="/ledger/days/end"' in page(browser.get("/ledger/days"))
    assert browser.post("/ledger/days/end", data={"day": opened.isoformat()}).status_code == 303
    assert "<dt>Reason</dt>" not in page(browser.get(f"/ledger/days/{opened}"))
    assert days.open_day().day > opened


def test_who_only_reads_is_offered_no_button_and_ends_nothing(book: Book, signed_in: Callable[..., Any]) -> None:
    opened = days.open_day().day
    browser = signed_in(Role.AUDITOR)
    assert "/ledger/days/end" not in page(browser.get("/ledger/days"))
    assert "/ledger/days/end" not in page(browser.get(f"/ledger/days/{opened}"))
    assert browser.post("/ledger/days/end", data={"day": opened.isoformat()}).status_code == 403
    assert browser.post(f"/ledger/days/{opened}/snapshot").status_code == 403
    assert days.open_day().day == opened


def test_a_day_shows_its_totals_and_compares_them_with_the_transactions(
    book: Book, signed_in: Callable[..., Any]
) -> None:
    book.account(123_456)
    browser = signed_in(Role.AUDITOR)
    now = page(browser.get(f"/ledger/days/{days.open_day().day}"))
    assert "Totals now" in now and "−1,234.56" in now
    closed = end()
    text = page(browser.get(f"/ledger/days/{closed}"))
    assert "Settlement" in text and "1,234.56" in text
    assert "No difference." in page(browser.get(f"/ledger/days/{closed}?compare=1"))
    export = browser.get(f"/ledger/days/{closed}/export?format=csv")
    assert "EUR,Settlement,1,0.00" not in page(export) and "-1234.56" in export.get_data(as_text=True)


def test_a_difference_is_shown_with_both_figures(book: Book, signed_in: Callable[..., Any]) -> None:
    account = book.account(1_000)
    end()
    day = days.open_day().day
    days.end(day, by=system())
    with transaction() as current:
        current.execute(
            sa.text("INSERT INTO daily_balance (account_id, day, posted, debits, credits, movements)"
                    " VALUES (:account, :day, 9900, 0, 0, 0)"),
            {"account": account, "day": day},
        )  # fmt: skip
        current.execute(sa.text("UPDATE business_day SET snapshot_at = now() WHERE day = :day"), {"day": day})
    text = page(signed_in(Role.AUDITOR).get(f"/ledger/days/{day}?compare=1"))
    assert "99.00 EUR" in text and "10.00 EUR" in text and "differences." in text


def test_a_missing_snapshot_is_told_and_written_from_the_page(book: Book, signed_in: Callable[..., Any]) -> None:
    book.account(1_000)
    day = days.open_day().day
    days.end(day, by=system())
    browser = signed_in(Role.TREASURER)
    assert "No snapshot" in page(browser.get("/ledger/days"))
    assert "not written yet" in page(browser.get(f"/ledger/days/{day}"))
    assert browser.get(f"/ledger/days/{day}/export").status_code == 422
    assert browser.post(f"/ledger/days/{day}/snapshot").status_code == 303
    assert "Ties out" in page(browser.get("/ledger/days"))


@pytest.mark.parametrize("day", ["2020-01-01", "nonsense", "20260101", "2026-1-1", "2026-02-30"])
def test_there_is_no_page_of_a_day_that_was_none(book: Book, signed_in: Callable[..., Any], day: str) -> None:
    assert signed_in(Role.AUDITOR).get(f"/ledger/days/{day}").status_code == 404


def test_closed_days_are_paged_in_both_directions(
    book: Book, signed_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.ledger.pages import days as pages

    monkeypatch.setattr(pages, "PAGE_SIZE", 2)
    closed = [end() for _ in range(5)][::-1]
    browser = signed_in(Role.AUDITOR)

    def shown(query: str = "") -> list[date]:
        text = page(browser.get(f"/ledger/days{query}"))
        return [day for day in closed if f'href="/ledger/days/{day}"' in text]

    assert shown() == closed[:2]
    assert shown(f"?before={closed[1]}") == closed[2:4]
    assert shown(f"?before={closed[3]}") == closed[4:]
    assert shown(f"?after={closed[4]}") == closed[2:4]
    assert shown(f"?after={closed[2]}") == closed[:2]
    assert shown("?before=1990-01-01") == []


def test_the_command_ends_the_day_and_run_again_changes_nothing(
    book: Book, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.account(1_000)
    run = app.test_cli_runner().invoke
    opened = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda day: day <= opened)
    done = run(args=["ledger", "end-of-day"])
    assert done.exit_code == 0, done.output
    assert f"{days.in_words(opened)} ended at" in done.output
    assert "2 accounts moved" in done.output and "together 0.00 EUR" in done.output
    following = days.open_day().day
    assert following == clock.calendar().add_days(opened, 1)
    again = run(args=["ledger", "end-of-day"])
    assert again.exit_code == 0 and "had ended already" in again.output
    assert days.open_day().day == following
    assert run(args=["ledger", "end-of-day", "--day", str(following)]).exit_code == 0
    refused = run(args=["ledger", "end-of-day", "--day", str(following + timedelta(days=60))])
    assert (refused.exit_code, "not open yet" in refused.output) == (1, True)
    assert session().scalar(sa.select(sa.func.count()).select_from(BusinessDay)) == 3


def test_the_command_finishes_a_snapshot_that_was_cut_short(
    book: Book, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = days.open_day().day
    days.end(opened, by=system())
    monkeypatch.setattr(days, "has_begun", lambda day: day <= opened)
    done = app.test_cli_runner().invoke(args=["ledger", "end-of-day"])
    assert done.exit_code == 0 and "Snapshot written" in done.output
    assert snapshots.missing(opened) == []


def test_the_command_ends_no_day_that_has_not_begun(book: Book, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda day: False)
    refused = app.test_cli_runner().invoke(args=["ledger", "end-of-day"])
    assert (refused.exit_code, "has not begun" in refused.output) == (1, True)
    assert days.open_day().day == opened
