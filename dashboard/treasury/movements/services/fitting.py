"""Whether one bank account may give to another, and how much lies there to be given."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.ledger.queries import balances
from dashboard.money import Money
from dashboard.transfers.models import Provider
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.vocabulary import KIND_LABELS, WAYS, MovementKind, MovementState
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.models import TreasuryAccount
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.vocabulary import PURPOSE_LABELS, Purpose

FILES = "files"


def hold(bank_account_ids: Iterable[UUID]) -> None:
    """Lock the register's rows, in order: what lies there is counted by one movement after the other, and nobody
    closes an account or gives it another purpose meanwhile."""
    session().execute(
        sa.select(TreasuryAccount.bank_account_id)
        .where(TreasuryAccount.bank_account_id.in_(set(bank_account_ids)))
        .order_by(TreasuryAccount.bank_account_id)
        .with_for_update()
    )


def check(kind: MovementKind, gives: BankAccountView, takes: BankAccountView) -> None:
    """Raises Invalid beside the field, Refused `notRegistered`, `accountClosed`, `poolsDiffer`, `purposesDoNotFit`."""
    if gives.id == takes.id:
        raise Invalid.one("to", "Money moves between two different bank accounts.", "sameAccount")
    if gives.currency != takes.currency:
        raise Invalid.one(
            "to", f"{takes.said} is in {takes.currency.upper()}, {gives.said} in {gives.currency.upper()}."
            " Money of another currency is exchanged, not moved.", "currencyMismatch",
        )  # fmt: skip
    for side in (gives, takes):
        if not side.registered:
            raise Refused(f"{side.said} is not registered: nobody said what it is for. Register it first.",
                          code="notRegistered", details={"bankAccountId": str(side.id)})  # fmt: skip
        if side.closed_on is not None:
            raise Refused(f"{side.said} is closed.", code="accountClosed", details={"bankAccountId": str(side.id)})
    from_these, to_these = WAYS[kind]
    for side, allowed, word in ((gives, from_these, "leaves"), (takes, to_these, "reaches")):
        if side.purpose not in allowed:
            may = " or ".join(PURPOSE_LABELS[each].lower() for each in sorted(allowed))
            purpose = PURPOSE_LABELS[Purpose(side.purpose or "")].lower()
            raise Refused(
                f"A {KIND_LABELS[kind].lower()} {word} an account for {may}; {side.said} is for {purpose}.",
                code="purposesDoNotFit", details={"bankAccountId": str(side.id)},
            )  # fmt: skip
    if gives.pool is not None and takes.pool is not None and gives.pool != takes.pool:
        raise Refused(
            "The two accounts serve different pools: e-money and payment services are never mixed.", code="poolsDiffer"
        )


def lies_there(view: BankAccountView) -> Money:
    """What the ledger says lies at the bank: the settlement account's balance with its sign turned round."""
    if view.settlement_account_id is None:
        return Money(0, view.currency)
    found = balances.now([view.settlement_account_id]).get(view.settlement_account_id)
    return Money(-found.posted if found else 0, view.currency)


def promised(view: BankAccountView, *, but: UUID | None = None) -> Money:
    """What approved movements that have not left yet will take from there."""
    query = sa.select(sa.func.coalesce(sa.func.sum(OwnMovement.amount_minor), 0)).where(
        OwnMovement.from_bank_account_id == view.id, OwnMovement.state == MovementState.APPROVED.value
    )
    if but is not None:
        query = query.where(OwnMovement.id != but)
    return Money(int(session().scalar(query) or 0), view.currency)


def require_enough(view: BankAccountView, amount: Money, *, but: UUID | None = None) -> None:
    """Raises Refused `insufficientFunds` with what is available. The register's row is held."""
    left = Money(lies_there(view).minor_units - promised(view, but=but).minor_units, view.currency)
    if amount.minor_units > left.minor_units:
        raise Refused(
            f"{view.said} holds {left} that nothing else was approved for; {amount} is too much.",
            code="insufficientFunds", details={"available": left.amount, "required": amount.amount},
        )  # fmt: skip


def require_fresh_reference(bank_account_id: UUID, bank_reference: str, *, but: UUID | None = None) -> None:
    """Raises Invalid (field `bankReference`, `taken`) where another movement that left this bank account, or is to
    leave it, has the reference: one booking of the bank is one movement. The register's row is held."""
    query = sa.select(OwnMovement.reference).where(
        OwnMovement.from_bank_account_id == bank_account_id,
        OwnMovement.bank_reference == bank_reference,
        OwnMovement.state.not_in([MovementState.DROPPED.value, MovementState.CANCELED.value,
                                  MovementState.REFUSED.value]),
    )  # fmt: skip
    if but is not None:
        query = query.where(OwnMovement.id != but)
    other = session().scalar(query.limit(1))
    if other is not None:
        raise Invalid.one(
            "bankReference",
            f"The movement {other} has this reference already. If it is the same one, do not ask for it twice.",
            "taken",
        )


def takes_files(view: BankAccountView) -> bool:
    """Whether the bank is told by payment files."""
    found = session().execute(
        sa.select(Provider.kind, Provider.active).where(Provider.key == view.provider)
    ).one_or_none()  # fmt: skip
    return found is not None and found.kind == FILES and found.active


def require_files(view: BankAccountView) -> None:
    """Raises Invalid (field `way`)."""
    if not takes_files(view):
        raise Invalid([
            FieldError("way", f"{view.provider} takes no payment files. Tell the bank by hand.", "notAllowed")
        ])  # fmt: skip


def sides(movement: OwnMovement) -> tuple[BankAccountView, BankAccountView]:
    """The bank account that gives, and the one that takes."""
    return register.account(movement.from_bank_account_id), register.account(movement.to_bank_account_id)
