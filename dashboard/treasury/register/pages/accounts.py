"""Bank accounts: the list, the same as a file, and one of them with the history of its changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template, request

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.ledger import numbers
from dashboard.ledger.queries import balances
from dashboard.money import DECIMALS, Money
from dashboard.treasury.register import queries
from dashboard.treasury.register.forms import filters
from dashboard.treasury.register.forms.filters import ListQuery
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.register.services import changing, entries
from dashboard.treasury.vocabulary import POOL_LABELS, PURPOSE_LABELS, Pool, Purpose, StatementFormat
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row

NOT_REGISTERED = "notRegistered"
COLUMNS = (
    Column("provider", "Provider", share=0.7),
    Column("name", "Name"),
    Column("number", "Number", share=1.3),
    Column("currency", "Currency", share=0.5),
    Column("state", "State", share=0.7),
    Column("purpose", "Purpose", share=0.7),
    Column("pool", "Pool", share=0.7),
    Column("designated_from", "Designated from", Kind.DATE),
    Column("designated_to", "Designated to", Kind.DATE),
    Column("statements", "Statements", share=0.6),
    Column("expected_at", "Expected by", share=0.5),
    Column("calendar", "Calendar", share=0.4),
    Column("ledger", "Ledger", Kind.AMOUNT),
    Column("closed_on", "Closed on", Kind.DATE),
    Column("version", "Version", Kind.NUMBER),
)


def _choices(everything: list[BankAccountView]) -> dict[str, filters.Choice]:
    known = sorted({view.provider for view in everything})
    return {
        "currency": ("Currency", [("", "Any"), *((code, code.upper()) for code in DECIMALS)]),
        "provider": ("Provider", [("", "Any"), *((key, key) for key in known)]),
        "pool": ("Pool", [("", "Any"), *((pool.value, word) for pool, word in POOL_LABELS.items())]),
        "purpose": (
            "Purpose",
            [
                ("", "Any"), *((each.value, word) for each, word in PURPOSE_LABELS.items()),
                (NOT_REGISTERED, "Not registered"),
            ],
        ),
        "closed": ("Closed ones", [("", "Left out"), ("yes", "Shown too")]),
    }  # fmt: skip


def state_of(view: BankAccountView) -> tuple[str, str]:
    """Role and word of the state that a list shows."""
    today = clock.calendar().today()
    if not view.registered:
        return "unknown", "Not registered"
    if view.closed:
        return "neutral", "Closed"
    if view.purpose == Purpose.SAFEGUARDING:
        return ("ok", "Designated") if view.designated_on(today) else ("stop", "Not designated")
    return "info", "In use"


def _fits(view: BankAccountView, asked: ListQuery) -> bool:
    for name in ("currency", "provider", "pool"):
        if asked.get(name) and getattr(view, name) != asked.get(name):
            return False
    purpose = asked.get("purpose")
    if purpose == NOT_REGISTERED:
        return not view.registered
    return not purpose or view.purpose == purpose


def _asked(everything: list[BankAccountView]) -> tuple[ListQuery, list[BankAccountView]]:
    asked = filters.read("bank accounts", request.args, _choices(everything))
    if asked.errors:
        return asked, []
    return asked, [view for view in everything if _fits(view, asked) and (asked.get("closed") or not view.closed)]


def ledger_says(views: list[BankAccountView]) -> dict[UUID, Money]:
    """What lies at each bank by the ledger, in one query."""
    wanted = {view.settlement_account_id: view for view in views if view.settlement_account_id}
    return {wanted[key].id: Money(-each.posted, each.currency) for key, each in balances.now(wanted).items()}


@treasury_register.get("/accounts")
@listed(
    "bank-accounts", "Bank accounts", keeps=("currency", "provider", "pool", "purpose", "closed"),
    reads=lambda values, _actor: filters.read(
        "bank accounts", values, _choices(queries.accounts(include_closed=True))
    ),
)  # fmt: skip
@requires(Permission.TREASURY_READ)
def accounts() -> Response:
    """Every bank account, those that nobody registered too."""
    everything = queries.accounts(include_closed=True)
    asked, shown = _asked(everything)
    waiting = queries.waiting(changing.ADD, changing.CHANGE)
    page = render_template(
        "treasury/register/accounts.html",
        asked=asked,
        rows=shown,
        ledger=ledger_says(shown),
        state_of=state_of,
        purposes=PURPOSE_LABELS,
        pools=POOL_LABELS,
        formats=entries.FORMAT_LABELS,
        waiting=waiting,
        added=[each for each in waiting.values() if each.kind == changing.ADD],
        nothing_at_all=not everything,
        may_write=current_actor().may(Permission.TREASURY_WRITE),
        may_see_requests=current_actor().may(Permission.APPROVALS_READ),
    )
    return make_response(page, 422 if asked.errors else 200)


@treasury_register.get("/accounts/export.<form>")
@downloads("bank-accounts")
@requires(Permission.TREASURY_READ)
def accounts_export(form: str) -> Any:
    """The same list as a file."""
    asked, shown = _asked(queries.accounts(include_closed=True))
    if asked.errors:
        raise Invalid.one("filter", f"There is no such choice: {', '.join(asked.errors)}.", "enum")
    ledger = ledger_says(shown)

    def rows() -> Iterator[Row]:
        for view in shown:
            yield {
                "provider": view.provider, "name": view.name, "number": view.number,
                "currency": view.currency.upper(), "state": state_of(view)[1],
                "purpose": PURPOSE_LABELS[Purpose(view.purpose)] if view.purpose else None,
                "pool": POOL_LABELS[Pool(view.pool)] if view.pool else None,
                "designated_from": view.designated_from, "designated_to": view.designated_to,
                "statements": entries.FORMAT_LABELS[StatementFormat(view.statement_format)]
                if view.statement_format else None,
                "expected_at": f"{view.expected_at:%H:%M}" if view.expected_at else None,
                "calendar": view.calendar, "ledger": ledger.get(view.id), "closed_on": view.closed_on,
                "version": view.version,
            }  # fmt: skip

    listing = Listing(
        exports.about("Register of bank accounts", filters=asked.in_words(), by=current_actor().name), COLUMNS
    )
    return exports.answer(listing, rows, Format.named(form), expected=len(shown))


@treasury_register.get("/accounts/<uuid:bank_account_id>")
@requires(Permission.TREASURY_READ)
def account(bank_account_id: UUID) -> str:
    """One bank account: what it is for, what waits, what changed and by whom."""
    view = queries.account(bank_account_id)
    actor = current_actor()
    changes = queries.history(view.id)
    turns = []
    for change, older in zip(changes, [*changes[1:], None], strict=False):
        before = entries.entry_in(older.version) if older else None
        turns.append((change, entries.difference(before, entries.entry_in(change.version))))
    return render_template(
        "treasury/register/account.html",
        view=view,
        grouped=numbers.in_groups(view.number),
        state=state_of(view),
        ledger=ledger_says([view]).get(view.id),
        said=entries.in_words(entries.standing(view)) if view.registered else {},
        turns=turns,
        waiting=queries.waiting(changing.CHANGE).get(view.id),
        may_write=actor.may(Permission.TREASURY_WRITE),
        may_see_requests=actor.may(Permission.APPROVALS_READ),
        may_read_ledger=actor.may(Permission.LEDGER_READ),
    )
