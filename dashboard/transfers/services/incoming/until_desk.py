"""Stands in for the desk until its branch is merged."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.transfers.models import PayerRule, Receipt, Transfer
from dashboard.transfers.vocabulary import Cause


def open_receipt(
    transfer: Transfer, *, cause: Cause, suspense_account_id: UUID, booked_at: datetime, by: Actor
) -> Receipt:
    allocate, resolve = calendar().due_after(booked_at, 1), calendar().due_after(booked_at, 10)
    receipt = Receipt(
        transfer_id=transfer.id, currency=transfer.currency, amount_minor=transfer.amount_minor,
        remaining_minor=transfer.amount_minor, suspense_account_id=suspense_account_id, cause=cause.value,
        state="open", booked_at=booked_at, allocate_by=allocate, resolve_by=resolve, warn_at=resolve, version=1,
    )  # fmt: skip
    session().add(receipt)
    session().flush()
    return receipt


def rule_for(payer_key: str | None, currency: str) -> PayerRule | None:
    return None


def post_by_rule(transfer: Transfer, rule: PayerRule, *, by: Actor) -> Any: ...


def reverse_at_bank(transfer: Transfer, *, by: Actor) -> str:
    raise Refused("The desk is not there yet.", code="noDesk")
