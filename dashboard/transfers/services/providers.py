"""Banks and payment providers of the house: registering them, and which one carries a transfer."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, FieldError, Invalid, NotFound, Refused
from dashboard.ledger.models import Account, BankAccount
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import DECIMALS
from dashboard.transfers.models import Provider, ProviderRoute
from dashboard.transfers.vocabulary import TransferType

KINDS = ("files", "sandbox")
_KEY = re.compile(r"[a-z][a-z0-9-]{0,49}")
LONGEST_NAME = 100
LARGEST_PRIORITY = 100


def provider(key: str) -> Provider:
    """Raises NotFound `providerNotFound`."""
    found = session().get(Provider, key)
    if found is None:
        raise NotFound("There is no such provider.", code="providerNotFound")
    return found


def all_providers(*, active_only: bool = False) -> list[Provider]:
    """In order of their keys."""
    query = sa.select(Provider).order_by(Provider.key)
    if active_only:
        query = query.where(Provider.active)
    return list(session().scalars(query))


def register_provider(*, key: str, name: str, kind: str, settings: dict[str, Any] | None = None, by: Actor) -> Provider:
    """Make a provider known. `settings` hold no secrets. Raises Invalid, Conflict `providerExists`."""
    errors = []
    if not _KEY.fullmatch(key):
        errors.append(FieldError("key", "Use a small letter, then small letters, digits and hyphens.", "pattern"))
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        errors.append(FieldError("name", f"Use 1 to {LONGEST_NAME} characters.", "length"))
    if kind not in KINDS:
        errors.append(FieldError("kind", f"Choose one of {', '.join(KINDS)}.", "enum"))
    if errors:
        raise Invalid(errors)
    if session().get(Provider, key) is not None:
        raise Conflict("This provider is registered already.", code="providerExists")
    made = Provider(key=key, name=name.strip(), kind=kind, active=True, settings=settings or {}, created_at=clock.now())
    session().add(made)
    session().flush()
    audit.record(
        "provider.registered", by=by, object_type="provider", object_id=None,
        after={"key": key, "name": made.name, "kind": kind},
    )  # fmt: skip
    return made


def set_active(key: str, active: bool, *, by: Actor) -> Provider:
    """Let new transfers go by this provider, or no longer; what is under way goes on. Raises NotFound."""
    changed = provider(key)
    if changed.active != active:
        changed.active = active
        session().flush()
        audit.record(
            "provider.changed", by=by, object_type="provider", object_id=None,
            before={"key": key, "active": not active}, after={"key": key, "active": active},
        )  # fmt: skip
    return changed


def set_route(*, type: TransferType, currency: str, provider_key: str, priority: int = 1, by: Actor) -> None:
    """Let a provider carry transfers of this type and currency; the lowest priority number wins.

    Raises Invalid, NotFound `providerNotFound`, Refused `noProviderAccount`.
    """
    if currency not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here.", "enum")
    if type is TransferType.INTERNAL:
        raise Invalid.one("type", "Internal transfers need no provider.", "enum")
    if not 1 <= priority <= LARGEST_PRIORITY:
        raise Invalid.one("priority", f"Use a number from 1 to {LARGEST_PRIORITY}.", "range")
    provider(provider_key)
    settlement(provider_key, currency)
    values = {"type": type.value, "currency": currency, "provider": provider_key, "priority": priority}
    session().execute(
        insert(ProviderRoute)
        .values(values)
        .on_conflict_do_update(index_elements=["type", "currency", "provider"], set_={"priority": priority})
    )
    audit.record("provider.routed", by=by, object_type="provider", object_id=None, after=values)


def remove_route(*, type: TransferType, currency: str, provider_key: str, by: Actor) -> None:
    """Raises NotFound `routeNotFound`."""
    route = session().get(ProviderRoute, (type.value, currency, provider_key))
    if route is None:
        raise NotFound("There is no such route.", code="routeNotFound")
    session().delete(route)
    session().flush()
    audit.record(
        "provider.unrouted", by=by, object_type="provider", object_id=None,
        before={"provider": provider_key, "type": type.value, "currency": currency},
    )  # fmt: skip


def routes() -> list[ProviderRoute]:
    """In order of type, currency and priority."""
    return list(
        session().scalars(
            sa.select(ProviderRoute).order_by(
                ProviderRoute.type, ProviderRoute.currency, ProviderRoute.priority, ProviderRoute.provider
            )
        )
    )


def bank_account(provider_key: str, currency: str, *, number: str | None = None) -> BankAccount | None:
    """The house's bank account at this provider in this currency (the first one registered), or the one of a number."""
    query = sa.select(BankAccount).where(BankAccount.provider == provider_key, BankAccount.currency == currency)
    if number is not None:
        query = query.where(BankAccount.number == number)
    return session().scalar(query.order_by(BankAccount.created_at, BankAccount.id).limit(1))


def settlement(provider_key: str, currency: str) -> tuple[UUID, BankAccount]:
    """The settlement account, and the bank account it stands for. Raises Refused `noProviderAccount`."""
    bank = bank_account(provider_key, currency)
    if bank is None:
        raise Refused(
            f"There is no bank account at {provider_key} in {currency.upper()}.",
            code="noProviderAccount",
            details={"provider": provider_key, "currency": currency},
        )
    return of_bank_account(bank.id, AccountType.SETTLEMENT), bank


def suspense(bank_account_id: UUID) -> UUID:
    """The account for money of this bank account whose client is not known. Raises Refused `noProviderAccount`."""
    return of_bank_account(bank_account_id, AccountType.SUSPENSE)


def of_bank_account(bank_account_id: UUID, type: AccountType) -> UUID:
    """The system account of this type that was made for the bank account. Raises Refused `noProviderAccount`."""
    found = session().scalar(
        sa.select(Account.id).where(Account.bank_account_id == bank_account_id, Account.type == type.value)
    )
    if found is None:
        raise Refused(f"The bank account has no {type.value} account.", code="noProviderAccount")
    return found


def for_transfer(type: TransferType, currency: str, account: Account | None = None) -> Provider:
    """Who carries it: the best route that is active; else the provider of the client's account; else any active one.

    Each needs a bank account in the currency. Raises Refused `noProvider`.
    """
    usable = (
        sa.select(Provider)
        .where(
            Provider.active,
            sa.exists().where(BankAccount.provider == Provider.key, BankAccount.currency == currency),
        )
        .outerjoin(
            ProviderRoute,
            sa.and_(
                ProviderRoute.provider == Provider.key,
                ProviderRoute.type == type.value,
                ProviderRoute.currency == currency,
            ),
        )
    )
    own = account.provider if account is not None else None
    found = session().scalar(
        usable.order_by(
            ProviderRoute.priority.asc().nulls_last(), (Provider.key == own).desc().nulls_last(), Provider.key
        ).limit(1)
    )
    if found is None:
        raise Refused(
            f"No provider carries transfers in {currency.upper()}.", code="noProvider", details={"currency": currency}
        )
    return found
