"""The one way in which money moves: `move_money` in the database, called for one payment and for ten thousand alike.

It locks the payments and the balance rows in order, decides one payment after the other as if each had come alone,
and writes balances, payments, transactions, state history and audit events (migrations/ledger_functions.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import constraint_of, new_hex_ids, new_id, session
from dashboard.errors import Conflict, Refused
from dashboard.ledger.vocabulary import MAIN_PURPOSE, SLOTS, ParentType, PaymentState

#: most transactions of one payment
LONGEST_PAYMENT = 1_000
#: most payments of one call
LARGEST_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Leg:
    """One transaction of a payment: a positive amount in minor units from debtor to creditor."""

    debtor_id: UUID
    creditor_id: UUID
    amount_minor: int
    currency: str
    description: str | None = None
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to be made. `value_date` None is the booking date."""

    parent_type: ParentType
    parent_id: UUID
    legs: Sequence[Leg]
    purpose: str = MAIN_PURPOSE
    value_date: date | None = None
    reverses_id: UUID | None = None
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one payment. `code` None: it was done. `culprit` is the refused transaction, from 1;
    `room` what its debtor could spend, in minor units; `other_id` the payment that stands already."""

    payment_id: UUID
    code: str | None
    culprit: int | None = None
    room: int | None = None
    other_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """`booked` and `moment` are None where nothing was done."""

    outcomes: list[Outcome]
    booked: date | None
    moment: datetime | None


@dataclass(frozen=True, slots=True)
class PlainOrders:
    """Payments of one transaction each that have nothing but what is required, in columns: thousands of them are
    moved without an object for each. Identifiers are hexadecimal digits, hyphens or not, in lower case; `parent_types`
    are values of ParentType without `adjustingPayment`. Only `reading.plain_orders` makes them: they are checked."""

    ids: Sequence[str]
    transaction_ids: Sequence[str]
    parent_types: Sequence[str]
    parent_ids: Sequence[str]
    debtor_ids: Sequence[str]
    creditor_ids: Sequence[str]
    currencies: Sequence[str]
    amounts: Sequence[int]

    def __len__(self) -> int:
        return len(self.ids)

    def order(self, index: int) -> Order:
        """One of them by itself."""
        leg = Leg(
            UUID(self.debtor_ids[index]), UUID(self.creditor_ids[index]), self.amounts[index], self.currencies[index],
            None, UUID(self.transaction_ids[index]),
        )  # fmt: skip
        parent = UUID(self.parent_ids[index])
        return Order(ParentType(self.parent_types[index]), parent, (leg,), id=UUID(self.ids[index]))


class ParentTaken(Conflict):
    """Another transaction made the same parent's payment at this very moment. Trying again tells which."""

    code = "paymentExists"


_MOVE = (
    "move_money("
    ":to, :all, :follows, pg_backend_pid() % :slots,"
    " CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:parents AS uuid[]), CAST(:purposes AS text[]),"
    " CAST(:same AS int[]), CAST(:dates AS date[]), CAST(:reverses AS uuid[]), CAST(:last AS int[]),"
    " CAST(:t_payments AS int[]), CAST(:t_ids AS uuid[]), CAST(:t_debtors AS uuid[]), CAST(:t_creditors AS uuid[]),"
    " CAST(:t_currencies AS text[]), CAST(:t_amounts AS bigint[]), CAST(:t_descriptions AS text[]),"
    " :reason, CAST(:events AS uuid[]), :by_kind, :by_id, :by_name, :by_role, :by_address, :by_request)"
)
_CALL = sa.text(f"SELECT payments, codes, culprits, rooms, others, booked, moment FROM {_MOVE}")
#: arrays of nothing but NULLs are not sent, let alone read
_CALL_PLAIN = sa.text(
    "SELECT CASE WHEN refused THEN codes END AS codes, CASE WHEN refused THEN culprits END AS culprits,"
    " CASE WHEN refused THEN rooms END AS rooms, CASE WHEN refused THEN others END AS others"
    f" FROM (SELECT *, cardinality(array_remove(codes, NULL)) > 0 AS refused FROM {_MOVE}) AS moved"
)


#: SQLSTATE numeric_value_out_of_range: a sum that 64 bits do not hold
_OUT_OF_RANGE = "22003"
_TOO_LARGE = "An account would hold more than a ledger can count. Nothing was done."


def array_of(values: Iterable[Any]) -> str:
    """An array literal of values that need no quoting: identifiers, numbers, words of our own."""
    return "{" + ",".join(map(str, values)) + "}"


def _uuids(values: Iterable[UUID]) -> str:
    # hex is the quickest spelling, and the database reads it
    return "{" + ",".join([value.hex for value in values]) + "}"


def _nullable(values: Sequence[Any]) -> str | None:
    """The same with NULLs; None where there is nothing but NULLs."""
    if all(value is None for value in values):
        return None
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def _execute(
    statement: sa.TextClause, to: PaymentState, by: Actor, reason: str | None, count: int, **values: Any
) -> Any:
    """The only row. Raises ParentTaken, Refused `balanceOutOfRange`."""
    parameters: dict[str, Any] = dict.fromkeys(
        (
            "types", "parents", "purposes", "same", "dates", "reverses", "last", "t_payments", "t_ids", "t_debtors",
            "t_creditors", "t_currencies", "t_amounts", "t_descriptions",
        )
    )  # fmt: skip
    parameters.update(
        to=to.value, all=False, follows=False, slots=SLOTS, reason=reason,
        events=array_of(new_hex_ids(count)),
        by_kind=by.kind, by_id=by.id, by_name=by.name, by_role=by.role, by_address=by.address,
        by_request=by.request_id,
    )  # fmt: skip
    parameters.update(values)
    try:
        return session().execute(statement, parameters).one()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) in {"uq_payment_parent", "uq_payment_reversal"}:
            raise ParentTaken("A payment for this parent was made at the same moment.") from None
        if constraint_of(error) == "ck_account_balance_in_range":
            raise Refused(_TOO_LARGE, code="balanceOutOfRange") from None
        raise
    except sa.exc.DataError as error:
        if getattr(error.orig, "sqlstate", None) != _OUT_OF_RANGE:
            raise
        raise Refused(_TOO_LARGE, code="balanceOutOfRange") from None


def _call(to: PaymentState, by: Actor, reason: str | None, count: int, **values: Any) -> Moved:
    row = _execute(_CALL, to, by, reason, count, **values)
    if row.payments is None:
        return Moved([], None, None)
    outcomes = [
        Outcome(payment_id, code, culprit, room, other)
        for payment_id, code, culprit, room, other in zip(
            row.payments, row.codes, row.culprits, row.rooms, row.others, strict=True
        )
    ]
    return Moved(outcomes, row.booked, row.moment)


def same_before(keys: Iterable[Hashable]) -> list[int]:
    """For each parent and purpose the ordinal (from 1) of the one before it that is the same, or 0."""
    last: dict[Hashable, int] = {}
    found = []
    for ordinal, key in enumerate(keys, 1):
        found.append(last.get(key, 0))
        last[key] = ordinal
    return found


def create(
    orders: Sequence[Order],
    to: PaymentState,
    *,
    by: Actor,
    all_or_none: bool = False,
    follows: bool = False,
    reason: str | None = None,
) -> Moved:
    """Make payments in state draft, pending or posted; outcomes come in the order of `orders`.

    Orders have been checked (`services.orders`). `follows`: they are reversals and pass a freeze. Raises ParentTaken.
    """
    legs = [(ordinal, leg) for ordinal, order in enumerate(orders, 1) for leg in order.legs]
    last, total = [], 0
    for order in orders:
        total += len(order.legs)
        last.append(total)
    descriptions = [leg.description for _, leg in legs]
    return _call(
        to, by, reason, len(orders), all=all_or_none, follows=follows,
        ids=_uuids(order.id for order in orders),
        types=array_of(order.parent_type.value for order in orders),
        parents=_uuids(order.parent_id for order in orders),
        purposes=[order.purpose for order in orders],
        same=array_of(same_before((order.parent_type, order.parent_id, order.purpose) for order in orders)),
        dates=_nullable([order.value_date for order in orders]),
        reverses=_nullable([order.reverses_id for order in orders]),
        last=array_of(last),
        t_payments=array_of(ordinal for ordinal, _ in legs),
        t_ids=_uuids(leg.id for _, leg in legs),
        t_debtors=_uuids(leg.debtor_id for _, leg in legs),
        t_creditors=_uuids(leg.creditor_id for _, leg in legs),
        t_currencies=array_of(leg.currency for _, leg in legs),
        t_amounts=array_of(leg.amount_minor for _, leg in legs),
        t_descriptions=descriptions if any(descriptions) else None,
    )  # fmt: skip


def create_plain(orders: PlainOrders, *, by: Actor, all_or_none: bool) -> dict[int, Outcome]:
    """Post many plain payments; gives the outcomes of those that were refused, by their place from 0.

    Raises ParentTaken.
    """
    count = len(orders)
    ordinals = array_of(range(1, count + 1))
    row = _execute(
        _CALL_PLAIN, PaymentState.POSTED, by, None, count, all=all_or_none,
        ids=array_of(orders.ids),
        types=array_of(orders.parent_types),
        parents=array_of(orders.parent_ids),
        purposes=array_of([MAIN_PURPOSE] * count),
        same=array_of(same_before(zip(orders.parent_types, orders.parent_ids, strict=True))),
        last=ordinals,
        t_payments=ordinals,
        t_ids=array_of(orders.transaction_ids),
        t_debtors=array_of(orders.debtor_ids),
        t_creditors=array_of(orders.creditor_ids),
        t_currencies=array_of(orders.currencies),
        t_amounts=array_of(orders.amounts),
    )  # fmt: skip
    if row.codes is None:
        return {}
    found = zip(row.codes, row.culprits, row.rooms, row.others, strict=True)
    return {
        index: Outcome(UUID(orders.ids[index]), code, culprit, room, other)
        for index, (code, culprit, room, other) in enumerate(found)
        if code is not None
    }


def advance(payment_ids: Iterable[UUID], to: PaymentState, *, by: Actor, reason: str | None = None) -> Moved:
    """Pend, post, cancel or fail payments that exist. Outcomes come sorted by payment; one that does not exist has
    none."""
    wanted = sorted(set(payment_ids))
    return _call(to, by, reason, len(wanted), ids=_uuids(wanted))
