"""Whose an account is, in words: its client's name, or what the house keeps it for; accounts by what people type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import session
from dashboard.ledger import numbers, owners
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType


@dataclass(frozen=True)
class Party:
    """One side of a transaction. `url` is the client's page; None for an account of the house."""

    account_id: UUID
    number: str
    currency: str
    name: str
    url: str | None
    type: str
    status: str

    @property
    def account_url(self) -> str:
        return f"/ledger/accounts/{self.account_id}"

    @property
    def end(self) -> str:
        """Country and the last four characters, as tables show a number."""
        return f"{self.number[:2]}…{self.number[-4:]}"

    @property
    def grouped(self) -> str:
        """The whole number, as people read it."""
        return numbers.in_groups(self.number)

    @property
    def short(self) -> str:
        """`Ilves OÜ LT…4410`"""
        return f"{self.name} {self.end}"


_SIDES = sa.select(
    Account.id, Account.number, Account.currency, Account.owner_id, Account.type, Account.alias, Account.status,
).where(
    Account.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(postgresql.UUID(as_uuid=True))))
)  # fmt: skip


def parties(account_ids: Iterable[UUID]) -> dict[UUID, Party]:
    """Parties by account, in two queries; unknown accounts are left out."""
    wanted = list(set(account_ids))
    if not wanted:
        return {}
    rows = session().execute(_SIDES, {"ids": wanted}).all()
    named = owners.directory().named({row.owner_id for row in rows if row.owner_id is not None})
    found = {}
    for row in rows:
        owner = named.get(row.owner_id) if row.owner_id is not None else None
        label = ACCOUNT_TYPE_LABELS[AccountType(row.type)]
        name = (owner.name or "Without a name") if owner else f"{label} · {row.alias}" if row.alias else label
        found[row.id] = Party(
            row.id, row.number, row.currency, name, owner.url if owner else None, row.type, row.status
        )  # fmt: skip
    return found


#: fewer characters of a number's end would find a part of all accounts
SHORTEST_END = 4


def numbered(text: str, limit: int) -> list[UUID]:
    """Accounts whose number is this or ends so, or whose identifier it is; at most so many. Blanks do not matter."""
    identifier = as_uuid(text)
    if identifier is not None:
        return list(session().scalars(sa.select(Account.id).where(Account.id == identifier)))
    number = numbers.normalized(text)
    whole = list(session().scalars(sa.select(Account.id).where(Account.number == number)))
    if whole or len(number) < SHORTEST_END:
        return whole
    turned = number[::-1]
    ends_so = sa.func.reverse(Account.number, type_=sa.Text()).startswith(turned, autoescape=True)
    return list(session().scalars(sa.select(Account.id).where(ends_so).limit(limit)))


def house_named(text: str, limit: int) -> list[UUID]:
    """Open accounts of the house by what they are for or their alias, with or without a currency behind: `fees`,
    `Fees EUR`; at most so many."""
    *words, last = " ".join(text.split()).lower().split(" ")
    whole = " ".join([*words, last])
    labels = {label.lower(): kind.value for kind, label in ACCOUNT_TYPE_LABELS.items()}

    def called(name: str) -> sa.ColumnElement[bool]:
        return sa.or_(Account.type == labels.get(name, ""), sa.func.lower(Account.alias) == name)

    ways = [called(whole)]
    if words:
        ways.append(sa.and_(called(" ".join(words)), Account.currency == last))
    return list(
        session().scalars(
            sa.select(Account.id)
            .where(Account.owner_id.is_(None), Account.status == "open", sa.or_(*ways))
            .order_by(Account.id)
            .limit(limit)
        )
    )


def as_uuid(text: str) -> UUID | None:
    """None for a text that is no identifier."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
