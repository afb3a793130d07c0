"""GL-06 and G2-02: balances as of a moment; GL-12: totals; GL-23 and GL-24: balances of business days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dashboard import clock
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.idempotency import reads_only
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import Invalid, NotFound, Refused
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.balance_dto import (
    CalculatedDto,
    ComparisonDto,
    SnapshotDto,
    TotalsDto,
    calculated,
    comparison_dto,
    snapshot_dto,
    totals_dto,
)
from dashboard.ledger.balance_schemas import CalculateBody, RecalculateBody, SnapshotBody, TotalsQuery
from dashboard.ledger.queries import balances
from dashboard.ledger.queries import days as day_queries
from dashboard.ledger.services import days, snapshots
from dashboard.web.api import documented_errors

#: clocks of two machines differ by a little
CLOCKS_DIFFER = timedelta(minutes=1)
#: days of one comparison
LONGEST_PERIOD = timedelta(days=366)

CALCULATE = (
    "Without `asOf` as they stand. With it, what was posted at or before that moment, however long ago: the last"
    " closed business day and the movements after it; `held` and `available` are null then. An account that is not"
    " known: 404 `accountNotFound` names it."
)


def _calculated(body: CalculateBody) -> dict[str, Any]:
    wanted = list(dict.fromkeys(body.account_ids))
    moment = clock.now()
    if body.as_of is not None:
        if body.as_of > moment + CLOCKS_DIFFER:
            raise Invalid.one("asOf", "A moment that has not come has no balance yet.", "range")
        moment = min(body.as_of, moment)
    found = balances.now(wanted) if body.as_of is None else balances.at(wanted, moment)
    unknown = [str(account_id) for account_id in wanted if account_id not in found]
    if unknown:
        raise NotFound("There is no such account.", code="accountNotFound", details={"accountIds": unknown})
    return calculated(moment, [found[account_id] for account_id in wanted])


@ledger_operations.post(
    "/internal/Accounts/calculateBalances", tags=SYSTEM, summary="Balances of the given accounts as of a moment",
    description=CALCULATE, operation_id="calculateBalances",
    responses={200: CalculatedDto, **documented_errors(404, 413, 415)},
)  # fmt: skip
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def calculate_balances(body: CalculateBody) -> dict[str, Any]:
    return _calculated(body)


@ledger_operations.post(
    "/v2/internal/Accounts/calculateBalances", tags=SYSTEM,
    summary="Same as POST /internal/Accounts/calculateBalances",
    description=CALCULATE, operation_id="calculateBalancesV2",
    responses={200: CalculatedDto, **documented_errors(404, 413, 415)},
)  # fmt: skip
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def calculate_balances_v2(body: CalculateBody) -> dict[str, Any]:
    return _calculated(body)


@ledger_operations.get(
    "/v2/ledger/internal/Accounts/getAggregatedAmounts", tags=SYSTEM,
    summary="Sums of balances grouped by currency and account type",
    description="Exact: the last closed business day and what was booked, held and opened since. A currency or type"
    " without an account has no item.",
    operation_id="getAggregatedAmounts", responses={200: TotalsDto, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def get_aggregated_amounts(query: TotalsQuery) -> dict[str, Any]:
    kind = query.account_type.value if query.account_type else None
    return totals_dto(balances.totals(currency=query.currency, account_type=kind))


@ledger_operations.post(
    "/internal/DailyAccountBalance", tags=SYSTEM, summary="Snapshot the balances of a day",
    description="Of a closed day its snapshot, made now where it is missing, with those of earlier days. The open day"
    " is ended by this only when it is named. A later day: 422 `futureDay`; one that was no business day: 422"
    " `unknownDay`; no day has ended yet: 422 `noClosedDay`. A repetition changes nothing and needs no key.",
    operation_id="snapshotDailyBalances", responses={200: SnapshotDto, **documented_errors(409, 413, 415, 422)},
)  # fmt: skip
# a repetition finds the day ended; a key would keep every posting waiting until the snapshot is written
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_OPERATE)
def snapshot_daily_balances(body: SnapshotBody) -> dict[str, Any]:
    day = body.date_ or snapshots.last_closed()
    if day == days.open_day().day and not days.has_begun(day):
        # a person may end it before its time; a machine that asks in a loop may not run ahead of the calendar
        raise Refused("That business day has not begun yet.", code="notBegun", details={"date": day.isoformat()})
    ended, found = snapshots.end_of_day(day, by=current_actor())
    return snapshot_dto(ended, found)


@ledger_operations.post(
    "/internal/DailyAccountBalance/recalculate", tags=SYSTEM, summary="Rebuild daily balances of a period",
    description="Computes the snapshots of closed days anew from the transactions and reports each difference. It"
    " rewrites nothing. A period without a closed day: 422 `noClosedDay`.",
    operation_id="recalculateDailyBalances", responses={200: ComparisonDto, **documented_errors(413, 415, 422)},
)  # fmt: skip
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_OPERATE)
def recalculate_daily_balances(body: RecalculateBody) -> dict[str, Any]:
    if body.to < body.from_:
        raise Invalid.one("to", "The period ends before it begins.", "range")
    if body.to - body.from_ > LONGEST_PERIOD:
        raise Invalid.one("to", f"A period has at most {LONGEST_PERIOD.days} days.", "range")
    if body.to > days.open_day().day:
        raise Refused(f"{days.in_words(body.to)} is not open yet.", code="futureDay")
    with transaction():
        found = day_queries.compare(body.from_, body.to)
    if not found.days and not found.missing:
        raise Refused("No business day of this period has ended.", code="noClosedDay")
    return comparison_dto(found)
