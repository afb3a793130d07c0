"""Accounts as machines read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from dashboard.ledger.account_schemas import Currency
from dashboard.ledger.queries.accounts import AccountView
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import Money
from dashboard.web.api import Answer
from dashboard.web.json import iso_utc


class BalancesDto(Answer):
    posted: float = Field(description="Credits minus debits.")
    held: float = Field(description="Reserved for pending withdrawals.")
    available: float = Field(description="Posted minus held; below zero where a limit allows it.")


class _AccountFrame(Answer):
    id: UUID
    client_id: UUID | None
    type: AccountType
    account_number: str = Field(description="An IBAN, without spaces.")
    currency: Currency
    alias: str | None
    status: AccountStatus
    provider: str | None
    overdraft_limit: float
    created: datetime
    closed: datetime | None


class AccountDto(_AccountFrame):
    """An account as internal systems see it. `clientId` is null for accounts of the house."""

    balances: BalancesDto
    blocked_amount: float = Field(description="What must stay on the account; it cannot be spent.")
    debits_frozen: bool = Field(description="Nothing goes out. Why is known where the client's blocks are.")
    credits_frozen: bool = Field(description="Nothing comes in; it goes to suspense.")


class OwnBalancesDto(BalancesDto):
    spendable: float = Field(description="What a payment could take now.")


class OwnAccountDto(_AccountFrame):
    """An account as its client sees it: what can be done with it, never why something cannot."""

    balances: OwnBalancesDto
    hidden: bool
    display_order: int | None
    can_pay: bool = Field(description="Whether money may go out now. The reason is not told here.")
    can_receive: bool = Field(description="Whether money may come in now. The reason is not told here.")


class AccountList(Answer):
    items: list[AccountDto]
    next_cursor: str | None
    total_count: int | None = None


class OwnAccountList(Answer):
    items: list[OwnAccountDto]
    next_cursor: str | None
    total_count: int | None = None


class OfferedCurrency(Answer):
    currency: Currency
    providers: list[str]


class OfferedCurrencies(Answer):
    items: list[OfferedCurrency]
    next_cursor: str | None = None


class SentDto(Answer):
    """A one-time password is on its way. The code is in the message, never here."""

    id: UUID
    operation: str
    account_id: UUID
    expires_at: datetime


class VerifiedDto(SentDto):
    verified_at: datetime


def _frame(account: AccountView) -> dict[str, Any]:
    return {
        "id": str(account.id),
        "clientId": str(account.owner_id) if account.owner_id else None,
        "type": account.type,
        "accountNumber": account.number,
        "currency": account.currency,
        "alias": account.alias,
        "status": account.status,
        "provider": account.provider,
        "overdraftLimit": Money(account.balances.limit, account.currency).amount,
        "created": iso_utc(account.created_at),
        "closed": iso_utc(account.closed_at) if account.closed_at else None,
    }


def _balances(account: AccountView) -> dict[str, Any]:
    return {
        "posted": account.posted.amount,
        "held": account.held.amount,
        "available": account.available.amount,
    }


def account_dto(account: AccountView) -> dict[str, Any]:
    """For internal systems."""
    return {
        **_frame(account),
        "balances": _balances(account),
        "blockedAmount": Money(account.balances.blocked, account.currency).amount,
        "debitsFrozen": account.balances.debits_frozen,
        "creditsFrozen": account.balances.credits_frozen,
    }


def own_account_dto(account: AccountView) -> dict[str, Any]:
    """For the account's client: what is blocked and frozen shows only in what it can do."""
    return {
        **_frame(account),
        "balances": {**_balances(account), "spendable": account.spendable.amount},
        "hidden": account.hidden,
        "displayOrder": account.display_order,
        "canPay": account.can_pay,
        "canReceive": account.can_receive,
    }
