"""Reading events and applicants."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.onboarding.sumsub.models import SumsubApplicant


def newest_applicant_of(external_user_id: str) -> str | None:
    """The client's applicant that was told of last; None without one."""
    try:
        client_id = UUID(external_user_id)
    except ValueError:
        return None
    return session().scalar(
        sa.select(SumsubApplicant.applicant_id)
        .where(SumsubApplicant.client_id == client_id)
        .order_by(SumsubApplicant.last_told_at.desc().nulls_last(), SumsubApplicant.id.desc())
        .limit(1)
    )
