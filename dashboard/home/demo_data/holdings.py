"""What the ledger's history needs to know of accounts: columns of numbers, as there may be millions of them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, fields
from uuid import UUID

#: of demo accounts, the commonest first
CURRENCIES = ("eur", "gbp", "usd", "pln")
PROVIDERS = ("sandbox", "bank-alpha")

FROZEN_DEBITS, FROZEN_CREDITS = 1, 2


def _numbers() -> array[int]:
    return array("q")


def _small() -> array[int]:
    return array("b")


@dataclass
class Holdings:
    """Client accounts, one in each place of the columns. Times in milliseconds, amounts in minor units."""

    ids: bytearray = field(default_factory=bytearray)
    #: equal for accounts of one owner, which stand side by side
    owners: array[int] = field(default_factory=_numbers)
    #: places in CURRENCIES and PROVIDERS
    currencies: array[int] = field(default_factory=_small)
    providers: array[int] = field(default_factory=_small)
    #: a company moves more than a person
    companies: array[int] = field(default_factory=_small)
    opened: array[int] = field(default_factory=_numbers)
    #: 0: open
    closed: array[int] = field(default_factory=_numbers)
    #: no money moves in between, as a block stands; 0, 0: never
    quiet_from: array[int] = field(default_factory=_numbers)
    quiet_until: array[int] = field(default_factory=_numbers)
    limits: array[int] = field(default_factory=_numbers)
    blocked: array[int] = field(default_factory=_numbers)
    frozen: array[int] = field(default_factory=_small)

    def __len__(self) -> int:
        return len(self.owners)

    def extend(self, other: Holdings) -> None:
        for column in fields(self):
            getattr(self, column.name).extend(getattr(other, column.name))

    def put(self, account_id: str, **said: int) -> None:
        """One account; every column must be named."""
        self.ids += UUID(account_id).bytes
        for column in fields(self)[1:]:
            getattr(self, column.name).append(said[column.name])

    def id(self, place: int) -> str:
        """In hexadecimal digits, which PostgreSQL reads without dashes."""
        return self.ids[place * 16 : place * 16 + 16].hex()
