"""Transfers and recipients as machines and clients read them.

A client is told what happened to its money, never what the house thinks of it: no reasons, no checks, no names of
staff. While a transfer is held for review the client reads that it is confirmed, which is true and says nothing; and
a transfer of which nobody can say whether the bank has it reads as submitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.queries.payments import numbers_of
from dashboard.money import Money
from dashboard.transfers.models import ClientReference, FxQuote, Recipient, StatusChange, Transfer, TransferCheck
from dashboard.transfers.queries import history
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.vocabulary import Kind, Status
from dashboard.web.json import iso_utc

#: what a client reads instead
TOLD_AS = {Status.MANUAL_REVIEW.value: Status.CONFIRMED.value, Status.UNKNOWN.value: Status.SUBMITTED.value}
#: ISO 20022 reasons that help a client to write the account right; all others stay inside
TOLD_CODES = frozenset({"AC01", "AC03", "AC04", "AC06", "AG02", "AM05", "BE04", "RC01", "insufficientFunds"})


def told_as(status: str) -> str:
    """The status in the words for clients."""
    return TOLD_AS.get(status, status)


def transfer_dto(transfer_id: UUID, *, own: bool = False) -> dict[str, Any]:
    """One transfer; `own`: as its client may read it. Raises NotFound."""
    return transfer_dtos([queries.get(transfer_id)], own=own)[0]


def transfer_dtos(rows: Sequence[Transfer], *, own: bool = False) -> list[dict[str, Any]]:
    """Transfers in their order, in at most five queries together."""
    numbers = numbers_of(
        account for row in rows for account in (row.account_id, row.counter_account_id) if account is not None
    )
    recipients = _by_id(Recipient, {row.recipient_id for row in rows})
    quotes = _by_id(FxQuote, {row.quote_id for row in rows})
    changes = history.changes_of(row.id for row in rows)
    checks = {} if own else history.checks_of(row.id for row in rows if row.kind == Kind.OUTGOING)
    found = []
    for row in rows:
        recipient, quote = recipients.get(row.recipient_id), quotes.get(row.quote_id)
        said = _said(row, numbers, recipient) | {
            "rate": quote.rate.normalize() if quote else None,
            "history": _told(changes[row.id]) if own else [_change(change) for change in changes[row.id]],
        }
        if own:
            said["status"] = told_as(row.status)
            if row.kind != Kind.FOREIGN_EXCHANGE:
                # the other side of an internal transfer is somebody else's account
                said["counterAccountId"] = said["counterAccountNumber"] = None
            said["relatedTransferId"] = None
        else:
            said |= {
                "provider": row.provider,
                "version": row.version,
                "checks": [_check(check, row.currency) for check in checks.get(row.id, [])],
            }
        found.append(said)
    return found


def _by_id(model: Any, ids: set[Any]) -> dict[Any, Any]:
    wanted = ids - {None}
    if not wanted:
        return {}
    return {row.id: row for row in session().scalars(sa.select(model).where(model.id.in_(wanted)))}


def _moment(moment: Any) -> str | None:
    return iso_utc(moment) if moment is not None else None


def _said(row: Transfer, numbers: dict[UUID, str], recipient: Recipient | None) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind,
        "status": row.status,
        "type": row.type,
        "amount": Money(row.amount_minor, row.currency).amount,
        "currency": row.currency,
        "fee": Money(row.fee_minor, row.currency).amount,
        "accountId": str(row.account_id),
        "accountNumber": numbers[row.account_id],
        "clientId": str(row.client_id) if row.client_id else None,
        "recipient": {
            "id": str(recipient.id),
            "name": recipient.name,
            "accountNumber": recipient.account_key,
            "bic": recipient.bic,
            "country": recipient.country,
        }
        if recipient
        else None,
        "counterparty": {
            "name": row.counterparty_name,
            "accountNumber": row.counterparty_account,
            "bic": row.counterparty_bic,
            "country": row.counterparty_country,
        },
        "remittanceInformation": row.remittance,
        "providerReference": row.provider_reference,
        "endToEndId": row.end_to_end_id,
        "paymentId": str(row.payment_id) if row.payment_id else None,
        "parentType": row.parent_type,
        "relatedTransferId": str(row.related_id) if row.related_id else None,
        "counterAccountId": str(row.counter_account_id) if row.counter_account_id else None,
        "counterAccountNumber": numbers.get(row.counter_account_id) if row.counter_account_id else None,
        "counterCurrency": row.counter_currency,
        "counterAmount": Money(row.counter_minor, row.counter_currency).amount
        if row.counter_minor is not None and row.counter_currency
        else None,
        "created": iso_utc(row.created_at),
        "confirmBy": _moment(row.confirm_by),
        "confirmed": _moment(row.confirmed_at),
        "submitted": _moment(row.submitted_at),
        "ended": _moment(row.ended_at),
    }


def _change(change: StatusChange) -> dict[str, Any]:
    return {
        "status": change.to_status,
        "from": change.from_status,
        "at": iso_utc(change.at),
        "code": change.code,
        "reason": change.reason,
    }


def _told(changes: Sequence[StatusChange]) -> list[dict[str, Any]]:
    """The history in the words for clients: a step that they do not read of is none."""
    found: list[dict[str, Any]] = []
    for change in changes:
        # money that was looked at in the house began, for the client, when it reached the account
        if change.to_status == Status.UNRECOGNIZED:
            continue
        status = told_as(change.to_status)
        if found and found[-1]["status"] == status:
            continue
        found.append(
            {
                "status": status,
                "from": found[-1]["status"] if found else None,
                "at": iso_utc(change.at),
                "code": change.code if change.code in TOLD_CODES else None,
            }
        )
    return found


def _check(check: TransferCheck, currency: str) -> dict[str, Any]:
    def amount(minor: int | None) -> Any:
        return Money(minor, currency).amount if minor is not None else None

    return {
        "code": check.code,
        "outcome": check.outcome,
        "round": check.round,
        "limit": amount(check.limit_minor),
        "measured": amount(check.measured_minor),
        "detail": check.detail,
        "at": iso_utc(check.at),
    }


def recipient_dto(row: Recipient) -> dict[str, Any]:
    """A recipient as machines and its client read it."""
    return {
        "id": str(row.id),
        "name": row.name,
        "accountFormat": row.account_format,
        "accountNumber": row.account_key,
        "bic": row.bic,
        "bankName": row.bank_name,
        "country": row.country,
        "address": row.address,
        "visible": row.visible,
        "clientId": str(row.client_id) if row.client_id else None,
        "created": iso_utc(row.created_at),
    }


def reference_dto(row: ClientReference) -> dict[str, Any]:
    """A reference as machines read it."""
    return {
        "id": str(row.id),
        "clientId": str(row.client_id),
        "accountId": str(row.account_id),
        "reference": row.reference,
        "currency": row.currency,
        "expectedAmount": Money(row.expected_minor, row.currency).amount if row.expected_minor is not None else None,
        "expiresOn": row.expires_on.isoformat() if row.expires_on else None,
        "created": iso_utc(row.created_at),
        "revoked": _moment(row.revoked_at),
    }
