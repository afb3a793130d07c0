"""A bank account as matching sees it. Who matches there waits for whoever else does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import savepoint, session
from dashboard.errors import Conflict, Refused
from dashboard.treasury.matching.models import MatchPlace
from dashboard.treasury.register import queries as register

#: SQLSTATE lock_not_available
_LOCKED = "55P03"


@dataclass(frozen=True)
class Place:
    """A bank account with the settlement account that mirrors it."""

    bank_account_id: UUID
    account_id: UUID
    currency: str
    pool: str | None
    name: str


def place_of(bank_account_id: UUID) -> Place:
    """Raises NotFound `bankAccountNotFound`, Refused `noSettlementAccount`."""
    view = register.account(bank_account_id)
    if view.settlement_account_id is None:
        raise Refused(
            f"{view.name} has no settlement account, so the ledger holds nothing to compare with.",
            code="noSettlementAccount",
        )
    return Place(view.id, view.settlement_account_id, view.currency, view.pool, view.name)


def locked(bank_account_id: UUID) -> MatchPlace:
    """The account's row, ours until the transaction ends. Raises Conflict `matchingUnderWay`: a run holds it."""
    session().execute(
        postgresql.insert(MatchPlace).values(bank_account_id=bank_account_id).on_conflict_do_nothing()
    )  # fmt: skip
    try:
        with savepoint():
            return (
                session()
                .scalars(
                    sa.select(MatchPlace)
                    .where(MatchPlace.bank_account_id == bank_account_id)
                    .with_for_update()
                    .execution_options(populate_existing=True)
                )
                .one()
            )
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        raise Conflict(
            "A match run is working on this bank account. Try again when it has ended; nothing was changed.",
            code="matchingUnderWay",
        ) from None


def swept_on(bank_account_id: UUID) -> date | None:
    """Ledger rows booked up to this day have been looked at; None before the first run."""
    return session().scalar(sa.select(MatchPlace.swept_on).where(MatchPlace.bank_account_id == bank_account_id))
