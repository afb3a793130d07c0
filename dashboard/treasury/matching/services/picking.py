"""Rows that a person has picked: whether they are free, and what is left between their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import Conflict, FieldError, Invalid
from dashboard.ledger.models import LedgerTransaction
from dashboard.ledger.vocabulary import PaymentState
from dashboard.treasury.matching.models import MatchLine, MatchTransaction
from dashboard.treasury.matching.services.places import Place
from dashboard.treasury.statements.models import StatementLine

#: rows of one match by hand
MOST_PICKED = 500


@dataclass(frozen=True)
class Picked:
    """Rows of one bank account. Sums in minor units, as the bank sees them."""

    lines: tuple[UUID, ...]
    transactions: tuple[UUID, ...]
    bank_minor: int
    ledger_minor: int

    @property
    def left_minor(self) -> int:
        """Bank minus ledger: what would have to be booked."""
        return self.bank_minor - self.ledger_minor


def pick(place: Place, *, lines: Sequence[UUID], transactions: Sequence[UUID], with_ledger: bool = True) -> Picked:
    """Look at the rows. Raises Invalid (field `lines` or `transactions`), Conflict `alreadyMatched`.

    `with_ledger`: a match needs a row on both sides; what is to be booked may have none in the ledger yet.
    """
    errors = []
    if not lines:
        errors.append(FieldError("lines", "Pick at least one line of the bank.", "required"))
    if with_ledger and not transactions:
        errors.append(FieldError("transactions", "Pick at least one row of the ledger.", "required"))
    if len(lines) + len(transactions) > MOST_PICKED:
        errors.append(FieldError("lines", f"Pick at most {MOST_PICKED} rows.", "tooMany"))
    if errors:
        raise Invalid(errors)
    amounts: dict[UUID, int] = dict(
        session()
        .execute(
            sa.select(StatementLine.id, StatementLine.amount_minor).where(
                StatementLine.id.in_(lines), StatementLine.matchable,
                StatementLine.bank_account_id == place.bank_account_id,
            )
        )
        .tuples()
        .all()
    )  # fmt: skip
    if len(amounts) != len(set(lines)):
        raise Invalid.one("lines", "A line is not one of this bank account, or does not count.", "unknown")
    rows: dict[UUID, int] = dict(
        session()
        .execute(
            sa.select(
                LedgerTransaction.id,
                sa.case(
                    (LedgerTransaction.debtor_account_id == place.account_id, LedgerTransaction.amount_minor),
                    else_=-LedgerTransaction.amount_minor,
                ),
            ).where(
                LedgerTransaction.id.in_(transactions),
                LedgerTransaction.state == PaymentState.POSTED.value,
                sa.or_(
                    LedgerTransaction.debtor_account_id == place.account_id,
                    LedgerTransaction.creditor_account_id == place.account_id,
                ),
            )
        )
        .tuples()
        .all()
    )
    if len(rows) != len(set(transactions)):
        raise Invalid.one("transactions", "A row is not posted on this bank account's settlement account.", "unknown")
    taken = session().scalar(
        sa.select(sa.literal(1)).where(
            sa.or_(
                sa.exists().where(MatchLine.line_id.in_(lines), MatchLine.live),
                sa.exists().where(
                    MatchTransaction.transaction_id.in_(transactions),
                    MatchTransaction.account_id == place.account_id,
                    MatchTransaction.live,
                ),
            )
        )
    )
    if taken is not None:
        raise Conflict("One of these rows has been matched meanwhile. Reload to see what is open.",
                       code="alreadyMatched")  # fmt: skip
    return Picked(tuple(sorted(amounts)), tuple(sorted(rows)), sum(amounts.values()), sum(rows.values()))
