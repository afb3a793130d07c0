"""Whose money it is: by the account that the bank names, else by a reference that the client was given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.ledger import numbers
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.transfers.models import IncomingRequest
from dashboard.transfers.services.incoming import remittance
from dashboard.transfers.vocabulary import Cause


@dataclass(frozen=True)
class Recognized:
    """The account of a client, and by what it was found: `creditorAccount` or `reference`."""

    account_id: UUID
    client_id: UUID
    by: str


def recognize(request: IncomingRequest) -> Recognized | Cause:
    """Who gets it, or why nobody does yet.

    A client who is not active yet does get it: blocks freeze, a status does not (ADR 0016). The bank was told to pay
    this account, the money is owed to its owner from now on, and it cannot leave before the client is active.
    """
    named = _by_account(request)
    way = "creditorAccount"
    if named is None:
        named, way = _by_reference(request), "reference"
    if named is None or named.owner_id is None:
        return Cause.NOT_RECOGNIZED
    if named.currency != request.currency:
        return Cause.CURRENCY
    if named.status != AccountStatus.OPEN:
        return Cause.ACCOUNT_CLOSED
    return Recognized(named.id, named.owner_id, way)


def _by_account(request: IncomingRequest) -> Account | None:
    if not request.creditor_account:
        return None
    return session().scalar(
        sa.select(Account).where(
            Account.number == numbers.normalized(request.creditor_account), Account.type == AccountType.CLIENT.value
        )
    )


def _by_reference(request: IncomingRequest) -> Account | None:
    """The account that all references in the text agree on, where one of them is live. Two clients' references, or
    two accounts, name nobody: a person looks."""
    found = remittance.found_in(request.remittance)
    today = clock.calendar().today()
    if len({reference.account_id for reference in found}) != 1:
        return None
    if not any(remittance.is_live(reference, today) for reference in found):
        return None
    return session().get(Account, found[0].account_id, populate_existing=True)
