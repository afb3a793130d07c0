"""Payments that something above the ledger has in hand. `app.py` connects the two: the ledger knows no transfers.

Moved by the ledger alone, such a payment would say something else than what it belongs to; the database refuses that
too, at the end of the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from dashboard.errors import Refused

#: a payment's id to the id of what has it in hand, or None
Claim = Callable[[UUID], UUID | None]

_current: list[Claim] = []


@dataclass(frozen=True)
class Holder:
    """Something else than a transfer that has payments in hand: its word, `own movement`, and where it is to be seen
    (its id in place of {id})."""

    word: str
    address: str
    claim: Claim


_others: dict[str, Holder] = {}


def install(claim: Claim) -> None:
    """Called once, by app.py."""
    _current[:] = [claim]


def learn(word: str, address: str, claim: Claim) -> None:
    """Called by app.py for each of the others; the same word again replaces it."""
    _others[word] = Holder(word, address, claim)


@dataclass(frozen=True)
class Held:
    """By what a payment is held: `own movement`, and the address of its page."""

    word: str
    url: str
    id: UUID


def held_by(payment_id: UUID) -> Held | None:
    """What has the payment in hand, where that is no transfer."""
    for holder in _others.values():
        found = holder.claim(payment_id)
        if found is not None:
            return Held(holder.word, holder.address.format(id=found), found)
    return None


def claimed_by(payment_id: UUID) -> UUID | None:
    """The transfer that has the payment in hand."""
    return _current[0](payment_id) if _current else None


def refuse_if_claimed(payment_id: UUID) -> None:
    """Raises Refused `belongsToTransfer`, `belongsElsewhere`, which name the transfer, or what else has it in hand."""
    transfer_id = claimed_by(payment_id)
    if transfer_id is not None:
        raise Refused(
            "This payment belongs to a transfer. Act on the transfer; a correction is an adjusting payment.",
            code="belongsToTransfer",
            details={"transferId": str(transfer_id)},
        )
    held = held_by(payment_id)
    if held is not None:
        raise Refused(
            f"This payment belongs to an {held.word}. Act there; a correction is an adjusting payment.",
            code="belongsElsewhere",
            details={"belongsTo": held.word, "id": str(held.id)},
        )
