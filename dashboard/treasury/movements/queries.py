"""Movements as others read them: which are under way, and which references their statement legs carry."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from dashboard import clock
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger import numbers
from dashboard.ledger.models import Account, BankAccount
from dashboard.money import Money
from dashboard.transfers.providers.port import Credit
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.vocabulary import (
    KIND_LABELS,
    STATE_LABELS,
    STATE_ROLES,
    UNDER_WAY,
    WAY_LABELS,
    MovementKind,
    MovementState,
    Way,
)
from dashboard.treasury.register.models import TreasuryAccount

#: rows that a stream reads at once
PART = 1_000


def references_sql() -> str:
    """SQL that gives `payment_id, reference` for each reference that the statement legs of a movement may carry: ours,
    and the bank's own where a person told it. To be put in brackets after FROM.

    Both transactions of such a payment are legs of the same movement: the one whose creditor is a settlement account
    left that bank account, the one whose debtor is one came to that. The payment's `parent_id` is the movement's id.
    Neither changes what is owed to clients: they are no part of what was posted out for them.
    """
    return (
        "SELECT m.payment_id, r.reference FROM own_movement m"
        " CROSS JOIN LATERAL unnest(ARRAY[m.reference, m.bank_reference]) AS r (reference)"
        " WHERE m.payment_id IS NOT NULL AND r.reference IS NOT NULL"
    )


def leg_sql(side: str, amount: str) -> str:
    """SQL of the statement line that is a movement's leg on one side: of that bank account and amount, with one of the
    movement's references among its own or in its text, and that tells of no other movement. `m` is the movement; the
    earliest line counts."""
    column = {"from": "left_line_id", "to": "arrived_line_id"}[side]
    return (
        "SELECT l.id, l.booking_date, l.value_date, l.entry_id FROM statement_line l"
        f" WHERE l.bank_account_id = m.{side}_bank_account_id AND l.matchable AND l.amount_minor = {amount}"
        f" AND NOT EXISTS (SELECT FROM own_movement o WHERE o.{column} = l.id AND o.id <> m.id)"
        " AND l.booking_date >= (m.approved_at AT TIME ZONE 'UTC')::date - 31"
        " AND (l.end_to_end_id IN (m.reference, m.bank_reference)"
        "   OR l.provider_reference IN (m.reference, m.bank_reference)"
        "   OR l.bank_references && array_remove(ARRAY[m.reference, m.bank_reference], NULL)"
        "   OR strpos(upper(coalesce(l.remittance, '')), m.reference) > 0)"
        " ORDER BY l.booking_date, l.id LIMIT 1"
    )


@dataclass(frozen=True)
class MovementView:
    """A movement with the names of its two bank accounts and their pools. Amounts in minor units."""

    id: UUID
    kind: MovementKind
    way: Way
    state: MovementState
    currency: str
    amount_minor: int
    reference: str
    bank_reference: str | None
    from_id: UUID
    from_name: str
    from_number: str
    from_pool: str | None
    from_purpose: str | None
    to_id: UUID
    to_name: str
    to_number: str
    to_pool: str | None
    to_purpose: str | None
    created_at: datetime
    maker_id: UUID
    maker_name: str
    approval_id: UUID | None
    approved_at: datetime | None
    payment_id: UUID | None
    file_id: UUID | None
    sent_at: datetime | None
    left_on: date | None
    arrived_on: date | None
    reversal_id: UUID | None
    ended_at: datetime | None
    ended_because: str | None
    problem: str | None

    @property
    def money(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def kind_label(self) -> str:
        return KIND_LABELS[self.kind]

    @property
    def way_label(self) -> str:
        return WAY_LABELS[self.way]

    @property
    def state_label(self) -> str:
        return STATE_LABELS[self.state]

    @property
    def state_role(self) -> str:
        return STATE_ROLES[self.state]


_from, _to = aliased(BankAccount), aliased(BankAccount)
_from_row, _to_row = aliased(TreasuryAccount), aliased(TreasuryAccount)


def _query() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            OwnMovement, _from.name, _from.number, _from_row.pool, _from_row.purpose,
            _to.name, _to.number, _to_row.pool, _to_row.purpose,
        )
        .join(_from, _from.id == OwnMovement.from_bank_account_id)
        .join(_to, _to.id == OwnMovement.to_bank_account_id)
        .outerjoin(_from_row, _from_row.bank_account_id == _from.id)
        .outerjoin(_to_row, _to_row.bank_account_id == _to.id)
        .execution_options(populate_existing=True)
    )  # fmt: skip


def _view(row: Any) -> MovementView:
    m = row[0]
    return MovementView(
        id=m.id, kind=MovementKind(m.kind), way=Way(m.way), state=MovementState(m.state), currency=m.currency,
        amount_minor=m.amount_minor, reference=m.reference, bank_reference=m.bank_reference,
        from_id=m.from_bank_account_id, from_name=row[1], from_number=row[2], from_pool=row[3], from_purpose=row[4],
        to_id=m.to_bank_account_id, to_name=row[5], to_number=row[6], to_pool=row[7], to_purpose=row[8],
        created_at=m.created_at, maker_id=m.maker_id, maker_name=m.maker_name, approval_id=m.approval_id,
        approved_at=m.approved_at, payment_id=m.payment_id, file_id=m.file_id, sent_at=m.sent_at, left_on=m.left_on,
        arrived_on=m.arrived_on, reversal_id=m.reversal_id, ended_at=m.ended_at, ended_because=m.ended_because,
        problem=m.problem,
    )  # fmt: skip


def movement(movement_id: UUID) -> MovementView:
    """Raises NotFound `movementNotFound`."""
    row = session().execute(_query().where(OwnMovement.id == movement_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such movement.", code="movementNotFound")
    return _view(row)


def by_ids(movement_ids: Collection[UUID]) -> dict[UUID, MovementView]:
    """Movements by id, in one query; unknown ones are left out."""
    rows = session().execute(_query().where(OwnMovement.id.in_(movement_ids)))
    return {view.id: view for view in map(_view, rows)}


def open_movements(pool: str | None = None, currency: str | None = None) -> Sequence[MovementView]:
    """Movements of which something is still expected (requested, approved, in transit), oldest first; with a pool
    those of which one side or both belong to it."""
    query = _query().where(OwnMovement.state.in_([state.value for state in UNDER_WAY])).order_by(OwnMovement.id)
    if currency is not None:
        query = query.where(OwnMovement.currency == currency)
    if pool is not None:
        query = query.where(sa.or_(_from_row.pool == pool, _to_row.pool == pool))
    return [_view(row) for row in session().execute(query)]


def movement_of(payment_id: UUID) -> UUID | None:
    """The movement that a payment books, or books back."""
    return session().scalar(
        sa.select(OwnMovement.id).where(
            sa.or_(OwnMovement.payment_id == payment_id, OwnMovement.reversal_id == payment_id)
        )
    )


@dataclass(frozen=True)
class MovementFilter:
    """Which movements a list shows. `account`: one side or the other."""

    state: str | None = None
    kind: str | None = None
    currency: str | None = None
    account: UUID | None = None


def is_own_money(credit: Credit) -> bool:
    """Whether a credit that a bank tells of is a movement of ours arriving: by account, amount and reference. One that
    was told to the bank by hand may be there before anybody said so here: approved ones count.

    Our reference names one movement for ever, and the bank may tell of it several times, with the account written in
    its own way; one for another account that is known here is somebody else's. The bank's reference is what a person
    typed: it counts with our account only, and once the arrival is told, for that day's booking alone.
    """
    if credit.reversal:
        return False
    said = {credit.end_to_end_id, credit.provider_reference, credit.entry_reference, *credit.references} - {None}
    text = (credit.remittance or "").upper()
    account = numbers.normalized(credit.creditor_account or "")
    days = {clock.calendar().today(credit.booked_at), credit.booked_at.date()}
    for movement in session().execute(
        sa.select(OwnMovement.reference, OwnMovement.bank_reference, OwnMovement.arrived_on, BankAccount.number)
        .join(BankAccount, BankAccount.id == OwnMovement.to_bank_account_id)
        .where(
            BankAccount.provider == credit.provider,
            OwnMovement.currency == credit.currency,
            OwnMovement.amount_minor == credit.amount_minor,
            OwnMovement.state.in_([MovementState.APPROVED.value, MovementState.SENT.value,
                                   MovementState.SETTLED.value]),
        )
    ):  # fmt: skip
        here = account == numbers.normalized(movement.number)
        if movement.reference in said or movement.reference in text:
            if here or not _known(account):
                return True
        elif here and movement.bank_reference in said and (movement.arrived_on is None or movement.arrived_on in days):
            return True
    return False


def _known(account_number: str) -> bool:
    """Whether it is the number of an account that is known here: a client's, or one of ours."""
    return bool(account_number) and any(
        session().scalar(sa.select(model.id).where(model.number == account_number).limit(1)) is not None
        for model in (Account, BankAccount)
    )


def find(
    chosen: MovementFilter, *, size: int, after: UUID | None = None, backwards: bool = False
) -> Sequence[MovementView]:
    """Movements, newest first; one more than `size`, where there is. `after`: the row at the edge; `backwards` gives
    those before it."""
    query = _query()
    if chosen.state is not None:
        query = query.where(OwnMovement.state == chosen.state)
    if chosen.kind is not None:
        query = query.where(OwnMovement.kind == chosen.kind)
    if chosen.currency is not None:
        query = query.where(OwnMovement.currency == chosen.currency)
    if chosen.account is not None:
        query = query.where(
            sa.or_(OwnMovement.from_bank_account_id == chosen.account, OwnMovement.to_bank_account_id == chosen.account)
        )
    if after is not None:
        query = query.where(OwnMovement.id > after if backwards else OwnMovement.id < after)
    order = OwnMovement.id.asc() if backwards else OwnMovement.id.desc()
    found = [_view(row) for row in session().execute(query.order_by(order).limit(size + 1))]
    return found[::-1] if backwards else found


def stream(chosen: MovementFilter) -> Iterator[MovementView]:
    """Every movement of the list, read part by part."""
    after: UUID | None = None
    while True:
        rows = find(chosen, size=PART, after=after)
        yield from rows[:PART]
        if len(rows) <= PART:
            return
        after = rows[PART - 1].id


def any_movement() -> bool:
    """Whether there ever was one."""
    return session().scalar(sa.select(OwnMovement.id).limit(1)) is not None


@dataclass(frozen=True)
class BankLeg:
    """A line of a statement that is a leg of a movement."""

    bank_account_id: UUID
    booked_on: date
    amount_minor: int
    entry_id: UUID


def bank_legs(movement_id: UUID) -> dict[str, BankLeg]:
    """The statement lines of a movement by side, `from` and `to`, as far as the banks have told of them."""
    found = {}
    for side, amount in (("from", "-m.amount_minor"), ("to", "m.amount_minor")):
        row = session().execute(
            sa.text(
                f"SELECT m.{side}_bank_account_id AS account, l.booking_date, {amount} AS minor, l.entry_id"
                f" FROM own_movement m CROSS JOIN LATERAL ({leg_sql(side, amount)}) AS l"
                " WHERE m.id = :id AND m.payment_id IS NOT NULL"
            ),
            {"id": movement_id},
        ).one_or_none()  # fmt: skip
        if row is not None:
            found[side] = BankLeg(row.account, row.booking_date, row.minor, row.entry_id)
    return found
