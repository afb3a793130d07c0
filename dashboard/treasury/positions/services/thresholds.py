"""Thresholds: amounts that raise an alert. They are data, and two people change one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money
from dashboard.treasury.alerts import services as alerts
from dashboard.treasury.positions.models import TreasuryThreshold
from dashboard.treasury.positions.queries.figures import Figures
from dashboard.treasury.positions.vocabulary import THRESHOLD_CHECK, THRESHOLD_LABELS, ThresholdKind
from dashboard.treasury.vocabulary import POOL_LABELS, Pool

KIND = "treasury.threshold"
OBJECT = "treasury_threshold"
#: of the identifiers of thresholds: one for each pool, currency and kind, known before its row is there
_PLACE = UUID("0f9f4c0e-8a53-5f5b-9d0c-6f1f5f6a2b11")


def id_of(pool: str, currency: str, kind: ThresholdKind) -> UUID:
    """The identifier of a threshold, whether it stands already or not."""
    return uuid5(_PLACE, f"{pool} {currency} {kind.value}")


def every() -> Sequence[TreasuryThreshold]:
    """All that stand, by pool, currency and kind."""
    table = TreasuryThreshold
    return (
        session()
        .scalars(
            sa.select(table).order_by(table.pool, table.currency, table.kind).execution_options(populate_existing=True)
        )
        .all()
    )


def _said(amount_minor: int | None, currency: str) -> str:
    return "no alert" if amount_minor is None else str(Money(amount_minor, currency))


def subject(pool: str, currency: str, kind: ThresholdKind) -> str:
    """Excess below, E-money EUR"""
    return f"{THRESHOLD_LABELS[kind]}, {POOL_LABELS[Pool(pool)]} {currency.upper()}"


def ask(pool: str, currency: str, kind: str, amount_minor: int | None, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person for a threshold; None as the amount: it raises no alert any more.

    Raises Invalid, Forbidden, Refused `unchanged`, Conflict `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    errors = []
    if pool not in set(Pool):
        errors.append(FieldError("pool", f"Choose one of {', '.join(Pool)}.", "enum"))
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if kind not in set(ThresholdKind):
        errors.append(FieldError("kind", f"Choose one of {', '.join(ThresholdKind)}.", "enum"))
    if amount_minor is not None and not 0 <= amount_minor <= LARGEST_MINOR_UNITS:
        errors.append(FieldError("amount", "The amount must not be negative.", "range"))
    if errors:
        raise Invalid(errors)
    word = ThresholdKind(kind)
    standing = _locked(id_of(pool, currency, word))
    before = standing.amount_minor if standing else None
    if before == amount_minor:
        raise Refused(f"It stands at {_said(before, currency)} already.", code="unchanged")
    return approvals.request(
        KIND,
        object_type=OBJECT,
        object_id=id_of(pool, currency, word),
        client_id=None,
        subject=subject(pool, currency, word),
        payload={"pool": pool, "currency": currency, "kind": word.value, "amountMinor": amount_minor},
        before={"Threshold": _said(before, currency)},
        after={"Threshold": _said(amount_minor, currency)},
        reason=reason,
        restricted=False,
        by=by,
    )


def _locked(threshold_id: UUID) -> TreasuryThreshold | None:
    return session().get(TreasuryThreshold, threshold_id, with_for_update=True, populate_existing=True)


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the threshold where it stands already."""
    standing = _locked(request.object_id)
    return {"amount": standing.amount_minor if standing else None}


def details(requests: Sequence[ApprovalRequest], _reader: Actor) -> dict[UUID, Detail]:
    """Which threshold, and what it raises."""
    found = {}
    for request in requests:
        asked = request.payload
        kind = ThresholdKind(asked["kind"])
        amount = _said(asked["amountMinor"], asked["currency"])
        lines = (
            Line("Threshold", (subject(asked["pool"], asked["currency"], kind),)),
            Line("Alert", (f"{THRESHOLD_LABELS[kind]} {amount}" if asked["amountMinor"] is not None else "none",)),
        )
        found[request.id] = Detail(amount, lines, (Link("Thresholds", "/treasury/thresholds"),))
    return found


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved change."""
    asked = request.payload
    values = {"amount_minor": asked["amountMinor"], "changed_at": clock.now(), "approval_id": request.id}
    session().execute(
        insert(TreasuryThreshold)
        .values(id=request.object_id, pool=asked["pool"], currency=asked["currency"], kind=asked["kind"], **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )
    audit.record(
        "treasuryThreshold.changed", by=by, object_type=OBJECT, object_id=request.object_id, before=request.before,
        after=request.after, reason=request.reason,
    )  # fmt: skip


def _crossed(kind: ThresholdKind, amount: int, found: Figures) -> tuple[int | None, bool]:
    """The figure, and whether it lies beyond the threshold."""
    value, below = {
        ThresholdKind.EXCESS_BELOW: (found.excess, True),
        ThresholdKind.EXCESS_ABOVE: (found.excess, False),
        ThresholdKind.UNRECOGNIZED_ABOVE: (found.unrecognized, False),
        ThresholdKind.UNEXPLAINED_ABOVE: (None if found.unexplained is None else abs(found.unexplained), False),
        ThresholdKind.LATE_ABOVE: (found.late, False),
    }[kind]
    if value is None:
        return None, False
    return value, value < amount if below else value > amount


def watch(found: Figures, *, by: Actor) -> None:
    """Raise an alert for each figure beyond its threshold, and settle those that are within again. What is unknown
    raises nothing and settles nothing."""
    standing = session().scalars(
        sa.select(TreasuryThreshold)
        .where(TreasuryThreshold.pool == found.pool, TreasuryThreshold.currency == found.currency)
        .execution_options(populate_existing=True)
    )
    for one in standing.all():
        kind = ThresholdKind(one.kind)
        value, crossed = (None, False) if one.amount_minor is None else _crossed(kind, one.amount_minor, found)
        if crossed and value is not None and one.amount_minor is not None:
            alerts.raise_alert(
                THRESHOLD_CHECK, pool=found.pool, currency=found.currency, cause=kind.value,
                says=f"{THRESHOLD_LABELS[kind]} {Money(one.amount_minor, found.currency)}:"
                f" {Money(value, found.currency)} at the end of {found.day.isoformat()}.",
                by=by,
            )  # fmt: skip
        elif value is not None or one.amount_minor is None:
            alerts.settle(
                THRESHOLD_CHECK, pool=found.pool, currency=found.currency, cause=kind.value,
                because="Within the threshold again." if value is not None else "The threshold was taken away.", by=by,
            )  # fmt: skip
