"""Proposals that nobody needs to decide any more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.matching.models import MatchLine, MatchTransaction, ReconMatch
from dashboard.treasury.matching.vocabulary import MatchState

_PROPOSED = ReconMatch.state == MatchState.PROPOSED.value


def withdraw_open(bank_account_id: UUID) -> None:
    """All that wait in an account: a new run proposes anew."""
    _withdraw(ReconMatch.bank_account_id == bank_account_id)


def withdraw_of(bank_account_id: UUID, *, lines: Sequence[UUID], transactions: Sequence[UUID]) -> None:
    """Those of rows that have gone into a match."""
    _withdraw(
        ReconMatch.bank_account_id == bank_account_id,
        sa.or_(
            ReconMatch.id.in_(
                sa.select(MatchLine.match_id).where(MatchLine.line_id.in_(lines), sa.not_(MatchLine.live))
            ),
            ReconMatch.id.in_(
                sa.select(MatchTransaction.match_id).where(
                    MatchTransaction.transaction_id.in_(transactions), sa.not_(MatchTransaction.live)
                )
            ),
        ),
    )


def _withdraw(*which: sa.ColumnElement[bool]) -> None:
    session().execute(
        sa.update(ReconMatch)
        .where(_PROPOSED, *which)
        .values(state=MatchState.WITHDRAWN.value)
        .execution_options(synchronize_session=False)
    )
