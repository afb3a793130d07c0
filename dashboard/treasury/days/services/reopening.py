"""Reopening a day: what was prepared or signed stays as it was, and the next version begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Invalid
from dashboard.ledger.models import Account, BusinessDay
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services.opening import check, ensure, hold, locked, said
from dashboard.treasury.days.services.resting import resting_on
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.models import AccountPool
from dashboard.treasury.vocabulary import DayState

LONGEST_REASON = 500


def _reason(text: str) -> str:
    why = " ".join(text.split())
    if not why:
        raise Invalid.one("because", "Say why.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one("because", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return why


def _reopened(version: TreasuryDay, *, because: str, by: Actor) -> TreasuryDay:
    before = {"state": version.state, "version": version.version}
    version.state = DayState.REOPENED.value
    version.reopened_at = clock.now()
    version.reopened_by_id, version.reopened_by, version.reopened_because = by.id, by.name, because
    session().flush()
    fresh = ensure(version.pool, version.currency, version.day)
    audit.record(
        "treasuryDay.reopened", by=by, object_type="treasury_day", object_id=version.id, before=before,
        after={"state": version.state, "pool": version.pool, "currency": version.currency, "day": version.day,
               "nextVersion": fresh.version},
        reason=because,
    )  # fmt: skip
    _reopen_twins(version, by=by)
    return fresh


def _reopen_twins(version: TreasuryDay, *, by: Actor) -> None:
    """A client account that changed its pool since is counted by this pool anew: the other one counts it anew, too, or
    it would stand in both of them, or in neither."""
    changed = session().scalar(
        sa.select(sa.func.max(AccountPool.since))
        .join(Account, Account.id == AccountPool.account_id)
        .where(Account.currency == version.currency)
    )
    if changed is None:
        return
    twins = session().scalars(
        sa.select(TreasuryDay).where(
            TreasuryDay.day == version.day,
            TreasuryDay.currency == version.currency,
            TreasuryDay.pool != version.pool,
            TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
            TreasuryDay.prepared_at <= changed,
        )
    )
    reopen_all(
        twins.all(), because="The other pool was opened again, and a client account has changed its pool since.", by=by
    )


def account_changed_pool(account_id: UUID, *, before: str, after: str, by: Actor) -> None:
    """Two people put a client account into another pool. Days that are signed for both pools counted it once, and stay;
    after the last of them both pools are counted anew. Call it in the transaction that changes the pool."""
    currency = session().scalars(sa.select(Account.currency).where(Account.id == account_id)).one()
    pools = sorted({before, after})
    for pool in pools:
        hold(pool, currency, alone=False)
    # without bank accounts a pool has no days to be signed
    counted = [pool for pool in pools if register.accounts(pool=pool, currency=currency)] or pools
    signed = (
        sa.select(TreasuryDay.day)
        .where(TreasuryDay.pool.in_(counted), TreasuryDay.currency == currency,
               TreasuryDay.state == DayState.SIGNED.value)
        .group_by(TreasuryDay.day)
        .having(sa.func.count() == len(counted))
        .order_by(TreasuryDay.day.desc())
        .limit(1)
    )  # fmt: skip
    last = session().scalar(signed)
    query = sa.select(TreasuryDay).where(
        TreasuryDay.pool.in_(pools), TreasuryDay.currency == currency,
        TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
    )  # fmt: skip
    if last is not None:
        query = query.where(TreasuryDay.day > last)
    reopen_all(
        session().scalars(query.execution_options(populate_existing=True)).all(),
        because="A client account changed its pool.", by=by,
    )  # fmt: skip


def reopen(pool: str, currency: str, day: date, *, because: str, by: Actor) -> TreasuryDay:
    """Open a prepared or signed day again; gives the version that follows.

    Raises Invalid (words, no reason), Forbidden, Refused `unknownDay`, Conflict `notPrepared`.
    """
    by.require(Permission.TREASURY_SIGN)
    why = _reason(because)
    check(pool, currency, day)
    version = locked(pool, currency, day)
    if version.state == DayState.OPEN:
        raise Conflict(f"{said(pool, currency, day)} is open already, version {version.version}.", code="notPrepared",
                       details={"version": version.version})  # fmt: skip
    return _reopened(version, because=why, by=by)


def _treasury_day_of(day: date) -> date | None:
    """The business day that a line of this date belongs to: what a bank books on a Saturday stands in the next one."""
    return session().scalar(sa.select(sa.func.min(BusinessDay.day)).where(BusinessDay.day >= day))


def line_came_late(bank_account_id: UUID, day: date, *, because: str, by: Actor) -> TreasuryDay | None:
    """A line of that date came: where pool and currency of the bank account are prepared or signed for it, they are
    reopened, and so is every day from then on whose figures were worked out from this bank account: a balance and an
    open item stand until something else does, and the bank account may have served another pool then. Gives the
    version that follows the earliest of them, None where nothing was reopened.

    Call it in the transaction that brings the line, whether the day is prepared or not: from then on nobody prepares
    or signs it before that transaction has ended. Raises NotFound `bankAccountNotFound`.
    """
    view = register.account(bank_account_id)
    if view.pool is not None:
        hold(view.pool, view.currency, alone=False)
    business_day = _treasury_day_of(day)
    if business_day is None:
        return None
    return reopen_all(_standing(bank_account_id, view.pool, view.currency, business_day), because=because, by=by)


def _standing(bank_account_id: UUID, pool: str | None, currency: str, day: date) -> Sequence[TreasuryDay]:
    """The versions that a line of that business day is late for."""
    own = sa.and_(TreasuryDay.pool == pool, TreasuryDay.currency == currency, TreasuryDay.day == day)
    return session().scalars(
        sa.select(TreasuryDay)
        .where(
            TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
            sa.or_(own, TreasuryDay.id.in_(resting_on(bank_account_id, day))),
        )
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip


def reopen_all(versions: Sequence[TreasuryDay], *, because: str, by: Actor) -> TreasuryDay | None:
    """Reopen those of these versions that are prepared or signed still, the earliest first; gives the version that
    follows that one. Nobody else changes versions of their pools before the transaction ends."""
    why = _reason(because)
    for pool, currency in sorted({(version.pool, version.currency) for version in versions}):
        hold(pool, currency, alone=False)
    first: TreasuryDay | None = None
    for version in sorted(versions, key=lambda one: (one.day, one.pool, one.currency)):
        session().refresh(version, with_for_update=True)
        if version.state in {DayState.PREPARED, DayState.SIGNED}:
            fresh = _reopened(version, because=why, by=by)
            first = first or fresh
    return first
