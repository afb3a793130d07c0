"""What an owner has: accounts and latest transactions, loaded by address into pages of domains above the ledger."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.naming import badges, others, owner_views, short_number, what
from dashboard.ledger.queries import account_list, statements
from dashboard.web.htmx import page_or_fragment

MOST_ACCOUNTS = 100
MOST_TRANSACTIONS = 10


@ledger.get("/owners/<uuid:owner_id>/accounts")
@requires(Permission.LEDGER_READ)
def owner_accounts(owner_id: UUID) -> Response:
    """Accounts of an owner with what they hold; `short` leaves out what a narrow place has no room for."""
    page = account_list.of_owner(owner_id, limit=MOST_ACCOUNTS)
    return page_or_fragment(
        "ledger/owner_accounts.html",
        "ledger/_owner_accounts.html",
        owner_id=owner_id,
        owner=owner_views([owner_id], current_actor()).get(owner_id),
        rows=page.rows,
        more=page.more,
        badges=badges,
        short_number=short_number,
        short=request.args.get("short") == "1",
        may_open=current_actor().may(Permission.ACCOUNTS_WRITE),
    )


@ledger.get("/owners/<uuid:owner_id>/transactions")
@requires(Permission.LEDGER_READ)
def owner_transactions(owner_id: UUID) -> Response:
    """The last transactions on all accounts of an owner."""
    actor = current_actor()
    accounts = account_list.of_owner(owner_id, limit=MOST_ACCOUNTS)
    rows = statements.latest_of([row.id for row in accounts.rows], limit=MOST_TRANSACTIONS)
    return page_or_fragment(
        "ledger/owner_transactions.html",
        "ledger/_owner_transactions.html",
        owner_id=owner_id,
        owner=owner_views([owner_id], actor).get(owner_id),
        rows=rows,
        most=MOST_TRANSACTIONS,
        parties=others((row.other for row in rows), actor),
        short_number=short_number,
        what=what,
    )
