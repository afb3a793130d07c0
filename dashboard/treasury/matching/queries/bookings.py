"""Bookings of what is left that wait for a second person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.treasury.matching.models import MatchBooking


def waiting(bank_account_id: UUID, lines: Collection[UUID], transactions: Collection[UUID]) -> Sequence[MatchBooking]:
    """Those of any of these rows."""
    return (
        session()
        .scalars(
            sa.select(MatchBooking)
            .join(ApprovalRequest, ApprovalRequest.id == MatchBooking.approval_id)
            .where(
                MatchBooking.bank_account_id == bank_account_id,
                ApprovalRequest.state == "requested",
                sa.or_(MatchBooking.lines.overlap(list(lines)), MatchBooking.transactions.overlap(list(transactions))),
            )
        )
        .all()
    )


def request_of(break_id: UUID) -> ApprovalRequest | None:
    """The open request that would book a break."""
    return session().scalar(
        sa.select(ApprovalRequest)
        .join(MatchBooking, MatchBooking.approval_id == ApprovalRequest.id)
        .where(MatchBooking.break_id == break_id, ApprovalRequest.state == "requested")
    )
