"""Raising and settling alerts, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid
from dashboard.treasury.alerts import queries
from dashboard.treasury.alerts.models import NOBODY, TreasuryAlert

OBJECT = "treasury_alert"
LONGEST_REASON = 500


class About(NamedTuple):
    """What an alert of a check is about: of these there is one open alert each."""

    pool: str | None
    currency: str | None
    cause: str
    subject_id: UUID | None = None


_RAISE = sa.text(
    "INSERT INTO treasury_alert (id, check_key, pool, currency, cause, subject_id, says, state, times, first_at,"
    " last_at) VALUES (:id, :check_key, :pool, :currency, :cause, :subject_id, :says, 'open', 1, :at, :at)"
    " ON CONFLICT (check_key, coalesce(pool, ''), coalesce(currency, ''), cause,"
    f" coalesce(subject_id, '{NOBODY}'::uuid)) WHERE state = 'open'"
    " DO UPDATE SET times = treasury_alert.times + 1, last_at = greatest(treasury_alert.last_at, excluded.last_at),"
    " says = excluded.says RETURNING id, times"
)


def raise_alert(
    check: str,
    *,
    pool: str | None,
    currency: str | None,
    cause: str,
    subject_id: UUID | None = None,
    says: str,
    by: Actor,
) -> TreasuryAlert:
    """Open an alert, or count one more of the one that stands open; gives it. Safe to call from several at once.

    `says` holds no personal data.
    """
    row = (
        session()
        .execute(
            _RAISE,
            {
                "id": new_id(), "check_key": check, "pool": pool, "currency": currency, "cause": cause,
                "subject_id": subject_id, "says": says, "at": clock.now(),
            },
        )
        .one()
    )  # fmt: skip
    if row.times == 1:
        audit.record(
            "treasury_alert.raised", by=by, object_type=OBJECT, object_id=row.id,
            after={"check": check, "pool": pool, "currency": currency, "cause": cause, "says": says},
        )  # fmt: skip
    return queries.get(row.id)


def _open(check: str, *conditions: sa.ColumnElement[bool]) -> sa.Select[TreasuryAlert]:
    return (
        sa.select(TreasuryAlert)
        .where(TreasuryAlert.check_key == check, TreasuryAlert.state == "open", *conditions)
        .order_by(TreasuryAlert.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _settled(alert: TreasuryAlert, *, because: str, by: Actor) -> None:
    alert.state, alert.settled_at, alert.settled_because = "settled", clock.now(), because
    alert.settled_by_kind, alert.settled_by_id, alert.settled_by = by.kind, by.id, by.name
    session().flush()
    audit.record(
        "treasury_alert.settled", by=by, object_type=OBJECT, object_id=alert.id, after={"times": alert.times},
        reason=because,
    )  # fmt: skip


def settle(
    check: str,
    *,
    pool: str | None,
    currency: str | None,
    cause: str,
    subject_id: UUID | None = None,
    because: str,
    by: Actor,
) -> bool:
    """Settle the open alert about this; False where none is open."""
    table = TreasuryAlert
    found = session().scalar(
        _open(
            check, table.pool.is_not_distinct_from(pool), table.currency.is_not_distinct_from(currency),
            table.cause == cause, table.subject_id.is_not_distinct_from(subject_id),
        )
    )  # fmt: skip
    if found is None:
        return False
    _settled(found, because=because, by=by)
    return True


def settle_all_but(check: str, still: Collection[About], *, because: str, by: Actor) -> int:
    """Settle the open alerts of a check that has looked at everything and found only `still`; gives how many."""
    settled = 0
    for alert in session().scalars(_open(check)).all():
        if About(alert.pool, alert.currency, alert.cause, alert.subject_id) not in still:
            _settled(alert, because=because, by=by)
            settled += 1
    return settled


def settle_by_hand(alert_id: UUID, *, because: str, by: Actor) -> None:
    """A person says that it is dealt with; what is found again opens a new one.

    Raises NotFound, Invalid (no reason), Conflict `alreadySettled`.
    """
    reason = because.strip()
    if not reason:
        raise Invalid.one("reason", "Say what was done about it.", "required")
    if len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    queries.get(alert_id)
    alert = session().scalars(
        sa.select(TreasuryAlert)
        .where(TreasuryAlert.id == alert_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()  # fmt: skip
    if alert.state != "open":
        raise Conflict("This alert is settled already.", code="alreadySettled")
    _settled(alert, because=reason, by=by)
