"""What the register asks a second person for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Detail, Kind, Line, Link, stale_because
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.ledger.models import Account, BankAccount
from dashboard.ledger.numbers import in_groups
from dashboard.treasury.register.services import changing, pooling


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Number and provider of the bank account, in one query for a whole list."""
    ids = {request.object_id for request in requests}
    known = {row.id: row for row in session().scalars(sa.select(BankAccount).where(BankAccount.id.in_(ids)))}
    found = {}
    for request in requests:
        bank = known.get(request.object_id)
        said = request.payload.get("bank") or {}
        number = bank.number if bank else said.get("number", "")
        provider = bank.provider if bank else said.get("provider", "")
        links = (Link("The bank account", f"/treasury/accounts/{bank.id}"),) if bank else ()
        found[request.id] = Detail(
            short=f"{provider} …{number[-4:]}",
            lines=(Line("Number", (in_groups(number),)), Line("Provider", (provider,))),
            links=links,
        )
    return found


def pool_details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """The client account, in one query for a whole list."""
    ids = {request.object_id for request in requests}
    rows = session().execute(sa.select(Account.id, Account.number, Account.currency).where(Account.id.in_(ids)))
    known = {row.id: row for row in rows}
    return {
        request.id: Detail(
            short=f"{known[request.object_id].currency.upper()} …{known[request.object_id].number[-4:]}",
            lines=(Line("Account", (in_groups(known[request.object_id].number),)),),
            links=(Link("The account", f"/ledger/accounts/{request.object_id}"),),
        )
        for request in requests
    }


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    what = "this bank account was added" if request.kind == changing.ADD else "the register changed"
    return f"This request has gone stale: {what} meanwhile. Nothing was done by it."


KINDS: tuple[Kind, ...] = (
    Kind(
        key=changing.ADD,
        label="Add bank account",
        permission=Permission.TREASURY_WRITE,
        fingerprint=changing.added_fingerprint,
        execute=changing.execute_adding,
        done="Added bank account",
        noun="Bank account",
        details=details,
        closed=closed,
    ),
    Kind(
        key=changing.CHANGE,
        label="Change the register of",
        permission=Permission.TREASURY_WRITE,
        fingerprint=changing.fingerprint,
        execute=changing.execute,
        done="Changed the register of",
        noun="Register",
        details=details,
        closed=closed,
    ),
    Kind(
        key=pooling.POOL,
        label="Change the pool of",
        permission=Permission.TREASURY_WRITE,
        fingerprint=pooling.fingerprint,
        execute=pooling.execute,
        done="Changed the pool of",
        noun="Pool",
        details=pool_details,
        closed=stale_because("the pool or the state of the account changed"),
    ),
)
