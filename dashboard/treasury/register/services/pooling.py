"""Which pool a client account belongs to. All are e-money, but those that two people put elsewhere."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Invalid, NotFound, Refused
from dashboard.ledger import numbers
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.treasury.register import queries
from dashboard.treasury.register.models import AccountPool
from dashboard.treasury.vocabulary import POOL_LABELS, Pool

POOL = "treasury.account.pool"


class Follow(Protocol):
    """Told, in the same transaction, that a client account has changed its pool."""

    def __call__(self, account_id: UUID, *, before: str, after: str, by: Actor) -> None: ...


_follows: list[Follow] = []


def learn_follow(fn: Follow) -> None:
    """Called by app.py: what stands above follows a change of pools. The same function again changes nothing."""
    if fn not in _follows:
        _follows.append(fn)


def account_by_number(number: str) -> UUID:
    """The client account with this number. Raises Invalid (field `account`)."""
    found = session().scalar(
        sa.select(Account.id).where(
            Account.number == numbers.normalized(number), Account.type == AccountType.CLIENT.value
        )
    )
    if found is None:
        raise Invalid.one("account", "There is no client account with this number. Write the whole IBAN.", "unknown")
    return found


def _client_account(account_id: UUID) -> Account:
    found = session().get(Account, account_id)
    if found is None or found.type != AccountType.CLIENT:
        raise NotFound("There is no such client account.", code="accountNotFound")
    return found


def ask_to_pool(account_id: UUID, *, pool: str, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to put a client account into a pool.

    Raises NotFound, Invalid, Forbidden, Refused `nothingChanges`, `accountClosed`, Conflict `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    account = _client_account(account_id)
    if pool not in set(Pool):
        raise Invalid.one("pool", f"Choose one of {', '.join(Pool)}.", "enum")
    if account.status == AccountStatus.CLOSED:
        raise Refused("The account is closed: it holds nothing, and belongs nowhere.", code="accountClosed")
    standing = _standing(account_id)
    if standing == pool:
        raise Refused(f"The account belongs to {POOL_LABELS[Pool(pool)]} already.", code="nothingChanges")
    return approvals.request(
        POOL,
        object_type="account",
        object_id=account_id,
        client_id=account.owner_id,
        subject=f"account {account.number[:2]}…{account.number[-4:]}",
        payload={"pool": pool},
        before={"Pool": POOL_LABELS[Pool(standing)]},
        after={"Pool": POOL_LABELS[Pool(pool)]},
        reason=reason,
        restricted=False,
        by=by,
    )


def _standing(account_id: UUID) -> str:
    return queries.pool_of(account_id) or Pool.E_MONEY.value


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the account's row of pools; which pool it belongs to, and whether it is open."""
    session().get(AccountPool, request.object_id, with_for_update=True, populate_existing=True)
    status = session().scalar(sa.select(Account.status).where(Account.id == request.object_id))
    return {"pool": _standing(request.object_id), "status": status}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    before = _standing(request.object_id)
    row = session().get(AccountPool, request.object_id, with_for_update=True, populate_existing=True)
    if row is None:
        row = AccountPool(account_id=request.object_id)
    row.pool, row.since, row.approval_id = request.payload["pool"], clock.now(), request.id
    session().add(row)
    session().flush()
    for follow in _follows:
        follow(request.object_id, before=before, after=row.pool, by=by)
    audit.record(
        "account.pooled", by=by, object_type="account", object_id=request.object_id, client_id=request.client_id,
        before={"pool": before}, after={"pool": row.pool}, reason=request.reason,
    )  # fmt: skip
