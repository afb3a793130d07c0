"""The same amount to the same account within minutes may be meant twice, or pressed twice: a person looks."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session
from dashboard.transfers import periods
from dashboard.transfers.models import Transfer
from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status


def look(case: Case) -> Finding:
    within = periods.duplicate()
    alike = (
        session()
        .scalars(
            sa.select(Transfer.id)
            .where(
                Transfer.counterparty_key == case.transfer.counterparty_key,
                Transfer.kind == Kind.OUTGOING.value,
                Transfer.client_id == case.transfer.client_id,
                Transfer.currency == case.transfer.currency,
                Transfer.amount_minor == case.transfer.amount_minor,
                Transfer.confirmed_at >= case.moment - within,
                Transfer.status.not_in([Status.CANCELED.value, Status.REJECTED.value]),
                Transfer.id != case.transfer.id,
            )
            .order_by(Transfer.id.desc())
            .limit(10)
        )
        .all()
    )
    detail = {"minutes": int(within.total_seconds() // 60), "transferIds": [str(each) for each in alike]}
    return Finding(Check.DUPLICATE, CheckOutcome.REVIEW if alike else CheckOutcome.PASSED, detail=detail)
