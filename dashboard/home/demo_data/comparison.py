"""A comparison with Sumsub: one difference that is open, and one that told of a lost event. It is about applicants that
`verification` has told of, made by the product's own verbs; nobody was asked for it."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.clients.vocabulary import KycState
from dashboard.database import new_id, session, transaction
from dashboard.onboarding.pulling import queries
from dashboard.onboarding.pulling.services import comparing, differences
from dashboard.onboarding.pulling.services.comparing import Counts
from dashboard.onboarding.pulling.services.differences import Pair
from dashboard.onboarding.pulling.vocabulary import Field
from dashboard.onboarding.sumsub.models import SumsubApplicant


def tell() -> int:
    """Gives how many differences were found; none where there are too few approved applicants."""
    by = system("daily comparison")
    with transaction():
        approved = (
            session()
            .scalars(
                sa.select(SumsubApplicant)
                .where(SumsubApplicant.client_id.is_not(None), SumsubApplicant.state == KycState.APPROVED.value)
                .order_by(SumsubApplicant.applicant_id)
                .limit(2)
            )
            .all()
        )
        if len(approved) < 2:
            return 0
        run = comparing.begin(new_id(), by=by)
        other_level, caught_up = approved
        differences.settle(
            other_level.applicant_id,
            {Field.LEVEL: Pair(other_level.level, "enhanced-kyc-level")},
            looked=frozenset({Field.LEVEL}),
            client_id=other_level.client_id,
            comparison_id=run.id,
            by=by,
        )
        differences.settle(
            caught_up.applicant_id,
            {},
            looked=frozenset({Field.STATE}),
            client_id=caught_up.client_id,
            comparison_id=run.id,
            by=by,
            caught_up={Field.STATE: Pair(KycState.PENDING.value, KycState.APPROVED.value)},
        )
        counts = Counts(applicants=queries.count_applicants(), applied=1, differing=1)
        comparing.finish(run.id, counts, by=by)
    return 2
