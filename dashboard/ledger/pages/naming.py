"""How account pages name things: states of an account, the other side of a transaction, what a transaction is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.ledger import owners
from dashboard.ledger.owners import OwnerView
from dashboard.ledger.queries.accounts import AccountView
from dashboard.ledger.queries.statements import Counterparty
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType, ParentType

_PARENTS = {
    ParentType.TRANSFER: "Transfer",
    ParentType.PAYMENT_REQUEST: "Payment request",
    ParentType.ADJUSTING_PAYMENT: "Adjusting payment",
}


class Badge(NamedTuple):
    """A state as a page shows it."""

    role: str
    word: str


@dataclass(frozen=True)
class Named:
    """One side of a transaction. `url` leads to its account; `owner` only where the reader may open clients."""

    name: str
    url: str
    end: str
    number: str
    owner: OwnerView | None


def short_number(number: str) -> str:
    """Country and the last four characters, as tables show a number."""
    return f"{number[:2]}…{number[-4:]}"


def frozen_words(debits: bool, credits: bool) -> str | None:
    """`debits`, `credits`, `debits and credits`; None where nothing is frozen."""
    return " and ".join(word for word, frozen in (("debits", debits), ("credits", credits)) if frozen) or None


def badges(account: AccountView) -> list[Badge]:
    """What stands on the account; never why."""
    found = [Badge("ok", "Open") if account.is_open else Badge("neutral", "Closed")]
    frozen = frozen_words(account.balances.debits_frozen, account.balances.credits_frozen)
    if frozen and account.is_open:
        found.append(Badge("stop", "Frozen" if " and " in frozen else f"Frozen: {frozen}"))
    return found


def owner_views(owner_ids: Iterable[UUID | None], actor: Actor) -> dict[UUID, OwnerView]:
    """Owners by id, in one query; none for a reader who may not open clients."""
    wanted = {owner_id for owner_id in owner_ids if owner_id is not None}
    if not wanted or not actor.may(Permission.CLIENTS_READ):
        return {}
    return owners.directory().named(wanted)


def house_name(type: str, alias: str | None) -> str:
    """`Settlement · Bank Alpha EUR`"""
    label = ACCOUNT_TYPE_LABELS[AccountType(type)]
    return f"{label} · {alias}" if alias else label


def others(parties: Iterable[Counterparty], actor: Actor) -> dict[UUID, Named]:
    """The other sides by account, named in one query."""
    return with_owner(parties, None, actor)[0]


def with_owner(
    parties: Iterable[Counterparty], owner_id: UUID | None, actor: Actor
) -> tuple[dict[UUID, Named], OwnerView | None]:
    """The other sides by account, and the owner of this one, named in one query for both."""
    known = {party.id: party for party in parties}
    views = owner_views([owner_id, *(party.owner_id for party in known.values())], actor)
    found = {}
    for party in known.values():
        owner = views.get(party.owner_id) if party.owner_id else None
        if party.owner_id:
            name = (owner.name or "Without a name") if owner else "Client account"
        else:
            name = house_name(party.type, party.alias)
        found[party.id] = Named(name, f"/ledger/accounts/{party.id}", short_number(party.number), party.number, owner)
    return found, views.get(owner_id) if owner_id else None


def what(description: str | None, parent_type: str, reverses: bool = False) -> str:
    """What a transaction says of itself, else what it belongs to."""
    return description or ("Reversal" if reverses else _PARENTS[ParentType(parent_type)])
