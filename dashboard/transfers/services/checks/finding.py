"""What a check is asked, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dashboard.clients.models import Client
from dashboard.ledger.models import AccountBalance
from dashboard.transfers.models import Transfer
from dashboard.transfers.vocabulary import Check, CheckOutcome


class Stage(StrEnum):
    """When it is asked. `asked`: a payment request, whose money may still come."""

    ASKED = "asked"
    CREATED = "created"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    SUBMITTED = "submitted"


@dataclass(frozen=True)
class Case:
    """A transfer with its client's locked row and the balance row of its account."""

    transfer: Transfer
    client: Client
    balance: AccountBalance
    stage: Stage
    moment: datetime
    #: what a check has read and another one needs too
    read: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether amount and fee are held already."""
        return self.transfer.payment_id is not None


@dataclass(frozen=True)
class Finding:
    """`limit_minor` and `measured_minor` in minor units of the transfer's currency; `detail` holds figures and the
    identifiers of the rows behind them, no personal data. `refusal`: code and sentence where it refuses."""

    code: Check
    outcome: CheckOutcome
    limit_minor: int | None = None
    measured_minor: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    refusal: tuple[str, str] | None = None
