"""What a client of this risk may send per transfer, day and month before a person looks.

Days and months are those of the institution's zone. The client's row is locked, so that transfers confirmed at the
same moment count one another.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.transfers.models import Transfer, TransferLimit
from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status

#: rows behind a sum that are named one by one, newest first
MOST_NAMED = 50


def _rule(case: Case) -> TransferLimit | None:
    """Read once a round: three checks ask for it."""
    if "limit" not in case.read:
        case.read["limit"] = session().get(TransferLimit, (case.client.risk_level, case.transfer.currency))
    found: TransferLimit | None = case.read["limit"]
    return found


def _finding(code: Check, limit: int | None, measured: int, detail: dict[str, object]) -> Finding:
    beyond = limit is not None and measured > limit
    return Finding(code, CheckOutcome.REVIEW if beyond else CheckOutcome.PASSED, limit, measured, detail)


def _since(case: Case, start: datetime) -> tuple[int, dict[str, object]]:
    """What the client has sent since then, this transfer included, and the rows behind it."""
    sent = (
        Transfer.kind == Kind.OUTGOING.value,
        Transfer.client_id == case.transfer.client_id,
        Transfer.currency == case.transfer.currency,
        Transfer.confirmed_at >= start,
        Transfer.status.not_in([Status.CANCELED.value, Status.REJECTED.value]),
        Transfer.id != case.transfer.id,
    )
    count, total = (
        session().execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Transfer.amount_minor), 0)).where(*sent)
        )
    ).one()
    newest = session().scalars(
        sa.select(Transfer.id).where(*sent).order_by(Transfer.confirmed_at.desc(), Transfer.id.desc()).limit(MOST_NAMED)
    )
    detail: dict[str, object] = {
        "riskLevel": case.client.risk_level,
        "since": start.astimezone(UTC).isoformat(),
        "count": count,
        "transferIds": [str(each) for each in newest],
    }
    return int(total) + case.transfer.amount_minor, detail


def per_transfer(case: Case) -> Finding:
    rule = _rule(case)
    return _finding(
        Check.LIMIT_PER_TRANSFER,
        rule.per_transfer_minor if rule else None,
        case.transfer.amount_minor,
        {"riskLevel": case.client.risk_level},
    )


def per_day(case: Case) -> Finding:
    rule, zone = _rule(case), clock.calendar().zone
    measured, detail = _since(case, datetime.combine(clock.calendar().today(case.moment), time(0), zone))
    return _finding(Check.LIMIT_PER_DAY, rule.per_day_minor if rule else None, measured, detail)


def per_month(case: Case) -> Finding:
    rule, zone = _rule(case), clock.calendar().zone
    first = clock.calendar().today(case.moment).replace(day=1)
    measured, detail = _since(case, datetime.combine(first, time(0), zone))
    return _finding(Check.LIMIT_PER_MONTH, rule.per_month_minor if rule else None, measured, detail)
