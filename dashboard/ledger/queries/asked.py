"""Requests for approval that belong to a payment: what asked for it, and what waits about it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session


def approved(kind: str, about: UUID) -> ApprovalRequest | None:
    """The newest approved request of this kind about this payment."""
    return session().scalar(
        sa.select(ApprovalRequest)
        .where(ApprovalRequest.object_id == about, ApprovalRequest.kind == kind, ApprovalRequest.state == "approved")
        .order_by(ApprovalRequest.id.desc())
        .limit(1)
    )


def waiting(kind: str, about: UUID) -> ApprovalRequest | None:
    """The open request of this kind about this payment."""
    return session().scalar(
        sa.select(ApprovalRequest).where(
            ApprovalRequest.kind == kind,
            ApprovalRequest.object_id == about,
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > sa.func.now(),
        )
    )
