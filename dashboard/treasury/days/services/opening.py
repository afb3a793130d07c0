"""Versions: the first one of a day, and the lock under which versions change."""

from __future__ import annotations

import zlib
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.ledger.models import BusinessDay
from dashboard.money import DECIMALS
from dashboard.treasury.days import queries
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.vocabulary import POOL_LABELS, DayState, Pool

#: with a digest of pool and currency: whoever changes versions takes it alone, whoever brings lines shares it
_LOCK = 0x74726461


def said(pool: str, currency: str, day: date) -> str:
    """E-money EUR, Thu 12 Mar 2026"""
    return f"{POOL_LABELS[Pool(pool)]} {currency.upper()}, {day:%a} {day.day} {day:%b} {day.year}"


def check(pool: str, currency: str, day: date) -> None:
    """Raises Invalid for words that nobody knows, Refused `unknownDay`, `futureDay`."""
    errors = []
    if pool not in set(Pool):
        errors.append(FieldError("pool", f"Choose one of {', '.join(Pool)}.", "enum"))
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if errors:
        raise Invalid(errors)
    if session().scalar(sa.select(BusinessDay.day).where(BusinessDay.day == day)) is None:
        raise Refused(f"{day.isoformat()} is no business day of this ledger.", code="unknownDay")


def hold(pool: str, currency: str, *, alone: bool) -> None:
    """Until the transaction ends nobody else changes versions of this pool and currency.

    Shared by those who bring lines: whoever prepares or signs waits for them, and sees what they brought; and they
    see what was prepared before them. A row's lock alone would not do: before the first version there is no row.
    """
    key = zlib.crc32(f"{pool} {currency}".encode()) - 2**31
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    session().execute(sa.text(f"SELECT {lock}(:kind, :key)"), {"kind": _LOCK, "key": key})


def ensure(pool: str, currency: str, day: date) -> TreasuryDay:
    """The version that counts; the first or the next one is opened where there is none.

    Raises Invalid, Refused `unknownDay`.
    """
    check(pool, currency, day)
    known = queries.current(pool, currency, day)
    if known is not None:
        return known
    latest = sa.select(sa.func.coalesce(sa.func.max(TreasuryDay.version), 0)).where(
        TreasuryDay.pool == pool, TreasuryDay.currency == currency, TreasuryDay.day == day
    )
    session().execute(
        insert(TreasuryDay)
        .values(
            id=new_id(), pool=pool, currency=currency, day=day, version=(session().scalar(latest) or 0) + 1,
            state=DayState.OPEN.value, opened_at=clock.now(),
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    found = queries.current(pool, currency, day)
    assert found is not None  # ours, or that of whoever was quicker
    return found


def locked(pool: str, currency: str, day: date) -> TreasuryDay:
    """The version that counts, held until the transaction ends; as it is after whoever held it before."""
    hold(pool, currency, alone=True)
    version = ensure(pool, currency, day)
    session().refresh(version, with_for_update=True)
    return version
