"""Working out positions: for days that are open again and again, for a prepared one for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.ledger.queries import days as ledger_days
from dashboard.treasury.days import queries as days
from dashboard.treasury.days import services as day_services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import (
    ClientSum,
    PositionAccount,
    PositionCover,
    PositionFrozen,
    TreasuryPosition,
)
from dashboard.treasury.positions.queries import clients, standing, transit
from dashboard.treasury.positions.queries.figures import Figures, figures
from dashboard.treasury.positions.queries.figures import pairs as figure_pairs
from dashboard.treasury.positions.services import thresholds
from dashboard.treasury.positions.vocabulary import Figure
from dashboard.treasury.vocabulary import DayState


def add_up(day: date, currency: str) -> None:
    """Add up the balances of all client accounts of a currency at the end of a closed day, and keep the sums.

    A million accounts take seconds. Raises Refused `snapshotMissing`.
    """
    _require_snapshot(day)
    _add_up(day, currency)


def _add_up(day: date, currency: str) -> None:
    # nobody waits for it; a page that cannot wait derives the sums
    session().execute(sa.text("SET LOCAL statement_timeout = 0"))
    moment = clock.now()
    for pool, found in clients.added_up(day, currency).items():
        values = {
            "accounts": found.accounts, "positive_minor": found.positive, "negative_minor": found.negative,
            "frozen_minor": found.frozen, "computed_at": moment,
        }  # fmt: skip
        session().execute(
            insert(ClientSum)
            .values(day=day, pool=pool, currency=currency, **values)
            .on_conflict_do_update(index_elements=["day", "pool", "currency"], set_=values)
        )


def _require_snapshot(day: date) -> None:
    view = ledger_days.one(day)
    if view is None or view.snapshot_at is None:
        raise Refused(
            "The balances of this day are not written yet. End the day, and let its snapshot be written.",
            code="snapshotMissing",
        )


def work_out(pool: str, currency: str, day: date, *, by: Actor) -> TreasuryPosition | None:
    """Store the figures of a day that is open; None where it is prepared or signed, whose figures stand.

    Raises Refused `unknownDay`, `snapshotMissing`, Invalid.
    """
    _require_snapshot(day)
    version = day_services.ensure(pool, currency, day)
    session().refresh(version, with_for_update=True)
    if version.state != DayState.OPEN:
        return None
    return _store(version, freeze=False, by=by)


def freeze(version: TreasuryDay, by: Actor) -> None:
    """What preparing a day computes: each client's balance added up, all figures stored for good. The day has ended;
    where its snapshot is not written yet, this takes longer. A sum that was kept is taken only where it agrees with the
    day's totals. Raises Refused `sumsDiffer`: the balances of clients and the totals of the day are not the same."""
    pair, written = (version.pool, version.currency), standing.has_ended(version.day)
    if not written or pair not in clients.agreeing(version.day):
        _add_up(version.day, version.currency)
        if written and pair not in clients.agreeing(version.day):
            raise Refused(
                "The balances of clients, added up one by one, differ from the totals of the day."
                " Look at the checks of the ledger first.",
                code="sumsDiffer",
            )
    _store(version, freeze=True, by=by)


def _store(version: TreasuryDay, *, freeze: bool, by: Actor) -> TreasuryPosition:
    (found,) = figures(version.day, only=(version.pool, version.currency))
    frozen = clients.frozen(version.pool, version.currency, version.day) if freeze else []
    if freeze:
        # of the moment of preparing, as its rows are
        found = replace(found, frozen=sum(one.balance.minor_units for one in frozen))
    moment = clock.now()
    values = {
        "computed_at": moment,
        "frozen_at": moment if freeze else None,
        "client_minor": found.client,
        "negative_minor": found.negative,
        "frozen_minor": found.frozen,
        "unrecognized_minor": found.unrecognized,
        "received_minor": found.received,
        "sent_minor": found.sent,
        "requirement_minor": found.requirement,
        "resource_minor": found.resource,
        "excess_minor": found.excess,
        "unexplained_minor": found.unexplained,
        "lying_minor": found.lying,
        "late_minor": found.late,
        "breaks": found.breaks,
        "breaks_without_owner": found.breaks_without_owner,
        "breaks_oldest": found.breaks_oldest,
        "internal": found.internal.value,
        "segregation": found.segregation.value,
        "external": found.external.value,
        "other_minor": found.other,
        "fees_minor": found.house.fees if found.house else None,
        "income_minor": found.house.income if found.house else None,
        "own_minor": found.house.own if found.house else None,
        "fx_minor": found.house.fx if found.house else None,
        "receivable_minor": found.house.receivable if found.house else None,
    }
    # the accounts go in while the position is not frozen; what they were before goes first
    session().execute(
        insert(TreasuryPosition)
        .values(treasury_day_id=version.id, **{**values, "frozen_at": None})
        .on_conflict_do_update(index_elements=["treasury_day_id"], set_={**values, "frozen_at": None})
    )
    session().execute(sa.delete(PositionAccount).where(PositionAccount.treasury_day_id == version.id))
    if found.accounts:
        session().execute(
            sa.insert(PositionAccount), [_row(version, found, place) for place in range(len(found.accounts))]
        )
    session().execute(sa.delete(PositionCover).where(PositionCover.treasury_day_id == version.id))
    if found.covers:
        session().execute(
            sa.insert(PositionCover),
            [{"treasury_day_id": version.id, "cover_id": one.cover_id, "version": one.version,
              "amount_minor": one.amount} for one in found.covers],
        )  # fmt: skip
    if freeze:
        matched = [one.bank_account_id for one in found.accounts if one.received is not None]
        told = [one.bank_account_id for one in found.accounts if one.unmatched is not None]
        transit.keep(version.id, {Figure.RECEIVED: matched, Figure.SENT: matched, Figure.UNMATCHED: told}, version.day)
        if frozen:
            session().execute(
                sa.insert(PositionFrozen),
                [{"treasury_day_id": version.id, "account_id": one.account_id,
                  "amount_minor": one.balance.minor_units} for one in frozen],
            )  # fmt: skip
        session().execute(
            sa.update(TreasuryPosition)
            .where(TreasuryPosition.treasury_day_id == version.id)
            .values(frozen_at=moment)
            .execution_options(synchronize_session=False)
        )
    newest = standing.last_ended()
    if newest is None or version.day >= newest:
        # an older day says nothing of how it stands now, nor does the one before a day whose balances are being written
        thresholds.watch(found, by=by)
    stored = session().get(TreasuryPosition, version.id, populate_existing=True)
    assert stored is not None  # written above
    return stored


def _row(version: TreasuryDay, found: Figures, place: int) -> dict[str, object]:
    one = found.accounts[place]
    return {
        "treasury_day_id": version.id,
        "bank_account_id": one.bank_account_id,
        "purpose": one.purpose,
        "designated": one.designated,
        "ledger_minor": one.ledger,
        "suspense_minor": one.suspense,
        "statement_minor": one.statement,
        "statement_id": one.statement_id,
        "statement_day": one.statement_day,
        "statement_at": one.statement_at,
        "tie_out": one.tie_out,
        "holiday": one.holiday,
        "received_minor": one.received,
        "sent_minor": one.sent,
        "timing_minor": one.timing,
        "breaks_minor": one.breaks,
        "unexplained_minor": one.unexplained,
        "lying_minor": one.lying,
        "late_minor": one.late,
        "unmatched": one.unmatched,
        "unmatched_minor": one.unmatched_amount,
        "unmatched_since": one.unmatched_since,
    }


def pairs(day: date) -> list[clients.Pair]:
    """Pools and currencies that have a position on the day."""
    return figure_pairs(day)


def to_add_up(day: date) -> list[str]:
    """Currencies of which the balances of clients are not added up, or were before an account changed its pool."""
    kept = {currency for _, currency in clients.kept(day)}
    return [currency for currency in clients.currencies(day) if currency not in kept]


def is_due(day: date, changed: datetime | None) -> bool:
    """Whether something of the day is not worked out, or was before the last change of what it is made of."""
    if to_add_up(day):
        return True
    versions = {(one.pool, one.currency): one for one in days.of_day(day)}
    stored = {position.pair: position for position in standing.stored(versions.values()).values()}
    for pair in pairs(day):
        position = stored.get(pair)
        if position is None or (not position.frozen and changed is not None and changed >= position.computed_at):
            return True
    return False
