"""Recipients of a client, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.folding import name_key
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.money import Money
from dashboard.transfers.models import Recipient, Transfer
from dashboard.transfers.vocabulary import Kind, Status


@dataclass(frozen=True)
class RecipientFilter:
    """`client_id` None: of the house. None means any otherwise."""

    client_id: UUID | None
    text: str = ""
    visible: bool | None = None
    country: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end."""

    rows: list[Recipient]
    more: bool


def key_of(row: Recipient) -> list[Any]:
    """The sort key, JSON-ready."""
    return [str(row.id)]


def _conditions(chosen: RecipientFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [
        Recipient.client_id == chosen.client_id if chosen.client_id is not None else Recipient.client_id.is_(None)
    ]
    if chosen.visible is not None:
        found.append(Recipient.visible.is_(chosen.visible))
    if chosen.country is not None:
        found.append(Recipient.country == chosen.country.upper())
    if chosen.currency is not None and chosen.currency != "gbp":
        # a sort code takes pounds only, any other account any currency
        found.append(Recipient.account_format != "sortCode")
    text = chosen.text.strip()
    if text:
        number = "".join(text.split()).upper()
        found.append(
            sa.or_(
                Recipient.name_key.contains(name_key(text), autoescape=True),
                Recipient.account_key.contains(number, autoescape=True),
            )
        )
    return found


def find(chosen: RecipientFilter, *, size: int, after: Sequence[Any] | None = None, skip: int = 0) -> Page:
    """One page, newest first. One client's recipients are few enough to be read along their index."""
    where = _conditions(chosen)
    if after is not None:
        where.append(Recipient.id < UUID(str(after[0])))
    rows = list(
        session().scalars(sa.select(Recipient).where(*where).order_by(Recipient.id.desc()).limit(size + 1).offset(skip))
    )
    return Page(rows[:size], len(rows) > size)


def count(chosen: RecipientFilter) -> int:
    """How many pass."""
    return session().scalar(sa.select(sa.func.count()).select_from(Recipient).where(*_conditions(chosen))) or 0


def get(recipient_id: UUID, *, client_id: UUID | None) -> Recipient:
    """Raises NotFound `recipientNotFound`, alike for somebody else's."""
    found = session().scalar(
        sa.select(Recipient).where(
            Recipient.id == recipient_id,
            Recipient.client_id == client_id if client_id is not None else Recipient.client_id.is_(None),
        )
    )
    if found is None:
        raise NotFound("There is no such recipient.", code="recipientNotFound")
    return found


@dataclass(frozen=True)
class Paid:
    """Completed transfers to one account in one currency."""

    money: Money
    count: int


def paid_to(client_id: UUID, account_keys: Sequence[str]) -> dict[str, list[Paid]]:
    """What a client has paid to these accounts so far, in one query; each currency by itself."""
    found: dict[str, list[Paid]] = {}
    if not account_keys:
        return found
    rows = session().execute(
        sa.select(Transfer.counterparty_key, Transfer.currency, sa.func.sum(Transfer.amount_minor), sa.func.count())
        .where(
            Transfer.counterparty_key.in_(account_keys),
            Transfer.kind == Kind.OUTGOING.value,
            Transfer.client_id == client_id,
            Transfer.status == Status.COMPLETED.value,
        )
        .group_by(Transfer.counterparty_key, Transfer.currency)
        .order_by(Transfer.currency)
    )
    for key, currency, total, count in rows:
        found.setdefault(str(key), []).append(Paid(Money(int(total), currency), count))
    return found
