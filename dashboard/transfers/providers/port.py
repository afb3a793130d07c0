"""What every provider offers and tells, in the product's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

from dashboard import clock
from dashboard.transfers.vocabulary import TransferType

#: a day without a time is midnight of the house, and clocks of banks differ
_SLIP = timedelta(days=1)


def plausible(booked_at: datetime) -> bool:
    """Whether a bank can have booked at this time: one that lies ahead would put off when money must be allocated."""
    return 2000 <= booked_at.year < 3000 and booked_at <= clock.now() + _SLIP


@dataclass(frozen=True, repr=False)
class Instruction:
    """One transfer to be sent. Amounts in minor units; `end_to_end_id` is ours, unique, 35 characters at most.

    `returns`: the provider's reference of the credit that goes back by it; `creditor_account` is empty then.
    """

    transfer_id: UUID
    end_to_end_id: str
    type: TransferType
    currency: str
    amount_minor: int
    debtor_name: str
    debtor_account: str
    creditor_name: str
    creditor_account: str
    creditor_bic: str | None
    creditor_country: str | None
    remittance: str
    requested_on: date
    returns: str | None = None


class Outcome(StrEnum):
    """ACCEPTED: the provider has it, nothing is final. UNKNOWN: nobody can say whether it has it. NOT_FOUND: it
    says that it never got it."""

    ACCEPTED = "accepted"
    EXECUTED = "executed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_FOUND = "notFound"


@dataclass(frozen=True)
class Report:
    """What became of one instruction. `code` is the provider's (ISO 20022 reason code where there is one)."""

    end_to_end_id: str
    outcome: Outcome
    provider_reference: str | None = None
    code: str | None = None
    reason: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, repr=False)
class Credit:
    """Money that came in, or with `reversal` went back to the bank, as a provider tells it.

    `provider_reference` is the provider's own and unique; `references` all that the bank gave. `booked_at` is the
    bank's booking time. `returns` names our end-to-end id where the credit is a transfer of ours coming back.
    `entry_reference` is the bank's for the whole entry, which may sum up several credits.
    """

    provider: str
    provider_reference: str
    currency: str
    amount_minor: int
    creditor_account: str | None
    booked_at: datetime
    creditor_name: str | None = None
    debtor_name: str | None = None
    debtor_account: str | None = None
    debtor_bic: str | None = None
    debtor_country: str | None = None
    remittance: str | None = None
    end_to_end_id: str | None = None
    references: tuple[str, ...] = ()
    entry_reference: str | None = None
    value_date: date | None = None
    reversal: bool = False
    returns: str | None = None
    #: the message as the provider wrote it, JSON-ready
    raw: dict[str, Any] = field(default_factory=dict)


class NotSent(Exception):
    """The provider certainly has none of it: it is safe to try again. The message holds no personal data."""


class Lost(Exception):
    """The answer is lost: the provider may have it. It is asked, and nothing is sent again before it says."""


@dataclass(frozen=True)
class Timing:
    """Of one provider. `lease`: longer than any call lasts. `not_found_after`: a call may be on its way for so long,
    and before it "not found" is no reason to send again. `ask_after` without news; None: the installation's."""

    lease: timedelta = timedelta(seconds=60)
    not_found_after: timedelta = timedelta(seconds=10)
    ask_after: timedelta | None = None


class Provider(Protocol):
    """A way to a bank. `batch` is the most instructions it takes at once; `returns_by_reference`: it takes a credit of
    its own back without being told an account."""

    returns_by_reference: ClassVar[bool]
    key: str
    batch: int
    timing: Timing

    def submit(self, instructions: Sequence[Instruction]) -> Sequence[Report]:
        """Hand instructions over, all or none of them. Raises NotSent, Lost."""
        ...

    def ask(self, end_to_end_id: str) -> Report | None:
        """What became of it; None where this provider cannot be asked (it tells by files). Raises NotSent."""
        ...
