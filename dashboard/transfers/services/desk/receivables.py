"""What a client has spent of money that was never theirs: the house claims it back, and two people say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.ledger import moving
from dashboard.ledger.models import AccountBalance
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts
from dashboard.ledger.services import orders as checking
from dashboard.ledger.vocabulary import AccountType, ParentType, PaymentState


@dataclass(frozen=True)
class Split:
    """How an amount comes back: from the client's account, and as a claim on the client."""

    from_client_minor: int
    receivable_minor: int


def split(account_id: UUID, amount_minor: int, *, lock: bool = False) -> Split:
    """What the account can give now. Nothing where its debits are frozen: no debit of ours goes round a freeze."""
    query = sa.select(
        AccountBalance.posted - AccountBalance.held - AccountBalance.blocked_minor + AccountBalance.limit_minor,
        AccountBalance.debits_frozen | AccountBalance.closed,
    ).where(AccountBalance.account_id == account_id, AccountBalance.slot == 0)
    room, stopped = session().execute(query.with_for_update(key_share=True) if lock else query).one()
    given = 0 if stopped else max(0, min(int(room), amount_minor))
    return Split(given, amount_minor - given)


def take_back(
    *, parent_id: UUID, purpose: str, account_id: UUID, to_account_id: UUID, amount_minor: int, currency: str,
    reason: str, by: Actor,
) -> tuple[UUID, Split]:  # fmt: skip
    """Book an adjusting payment of the whole amount: from the client what is there, from receivables the rest. Gives
    the payment and how it was split. An approved request about the parent lets the ledger book it."""
    parts = split(account_id, amount_minor, lock=True)
    legs = []
    if parts.from_client_minor:
        legs.append(Leg(account_id, to_account_id, parts.from_client_minor, currency, "Reversal"))
    if parts.receivable_minor:
        receivable = accounts.standard_account(AccountType.RECEIVABLE, currency)
        legs.append(Leg(receivable, to_account_id, parts.receivable_minor, currency, "Claim on the client"))
    return book(parent_id=parent_id, purpose=purpose, legs=legs, reason=reason, by=by), parts


def book(*, parent_id: UUID, purpose: str, legs: Sequence[Leg], reason: str, by: Actor) -> UUID:
    """Post one adjusting payment. Raises what the ledger refuses."""
    order = Order(parent_type=ParentType.ADJUSTING_PAYMENT, parent_id=parent_id, purpose=purpose, legs=legs)
    moved = moving.create([order], PaymentState.POSTED, by=by, reason=reason[:500])
    checking.raise_refusals(moved.outcomes, {order.id: order})
    return order.id
