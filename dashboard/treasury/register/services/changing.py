"""Changing the register: asked by one person, done when another one approves."""

from __future__ import annotations

import re
import zlib
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from schwifty import IBAN

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, FieldError, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.ledger.models import BankAccount
from dashboard.ledger.queries import balances
from dashboard.ledger.services import accounts as ledger_accounts
from dashboard.money import DECIMALS, Money
from dashboard.treasury.register import queries
from dashboard.treasury.register.models import TreasuryAccount
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.register.services.entries import Entry, checked, difference, entry_of, in_words, standing

ADD, CHANGE = "treasury.account.add", "treasury.account.change"
LONGEST_NAME = 100
LONGEST_NUMBER = 34
_PROVIDER = re.compile(r"[a-z][a-z0-9-]{0,49}")
_LIKE_AN_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9/.\-]*")
#: with a digest of number and currency: one at a time makes a bank account of them
_LOCK = 0x72656769


def _checked_bank(*, provider: str, name: str, number: str, currency: str) -> dict[str, str]:
    errors = []
    said, plain = " ".join(name.split()), numbers.normalized(number)
    if not _PROVIDER.fullmatch(provider):
        errors.append(
            FieldError("provider", "Use a small letter, then small letters, digits and hyphens, such as bank-alpha.",
                       "pattern")
        )  # fmt: skip
    if not 0 < len(said) <= LONGEST_NAME:
        errors.append(FieldError("name", f"Use 1 to {LONGEST_NAME} characters.", "length"))
    if _LIKE_AN_IBAN.fullmatch(plain) and not IBAN(plain, allow_invalid=True).is_valid:
        errors.append(FieldError("number", "This IBAN's check digits are wrong. Compare it with the bank's.", "iban"))
    elif len(plain) > LONGEST_NUMBER or not _NUMBER.fullmatch(plain):
        errors.append(
            FieldError("number", f"Write an IBAN, or the bank's own number of at most {LONGEST_NUMBER} letters, digits"
                       " and / . -", "pattern")
        )  # fmt: skip
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if errors:
        raise Invalid(errors)
    return {"provider": provider, "name": said, "number": plain, "currency": currency}


def _what_lies_there(view: BankAccountView) -> list[Money]:
    """Balances of the bank account's system accounts that are not zero."""
    wanted = [one for one in (view.settlement_account_id, view.suspense_account_id, view.in_transit_account_id) if one]
    return [Money(abs(each.posted), each.currency) for each in balances.now(wanted).values() if each.posted]


def _require_empty(view: BankAccountView, entry: Entry) -> None:
    """A bank account on which the ledger still has money is not closed."""
    if entry.closed_on is None or view.closed_on is not None:
        return
    lies = _what_lies_there(view)
    if lies:
        raise Refused(
            f"The ledger still has {' and '.join(map(str, lies))} on accounts of {view.said}. Move it first.",
            code="accountNotEmpty",
        )


def ask_to_add(
    *, provider: str, name: str, number: str, currency: str, entry: Entry, reason: str, by: Actor
) -> ApprovalRequest:
    """Ask for a new bank account, with its system accounts and what the register says of it.

    Raises Invalid, Forbidden, Conflict `bankAccountExists`, `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    errors: list[FieldError] = []
    bank: dict[str, str] = {}
    try:
        bank = _checked_bank(provider=provider, name=name, number=number, currency=currency)
    except Invalid as invalid:
        errors += invalid.errors
    try:
        wanted = checked(entry)
    except Invalid as invalid:
        errors += invalid.errors
    if errors:
        raise Invalid(errors)
    _one_at_a_time(bank)
    known = queries.by_number(bank["number"], bank["currency"])
    if known:
        raise Conflict(f"This bank account is there already: {known[0].said}.", code="bankAccountExists",
                       details={"bankAccountId": str(known[0].id)})  # fmt: skip
    waiting = session().scalar(
        sa.select(ApprovalRequest.id).where(
            ApprovalRequest.kind == ADD,
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > clock.now(),
            ApprovalRequest.payload["bank"]["number"].astext == bank["number"],
            ApprovalRequest.payload["bank"]["currency"].astext == bank["currency"],
        )
    )
    if waiting is not None:
        raise Conflict("This has been asked already and waits for a decision.", code="alreadyRequested",
                       details={"requestId": str(waiting)})  # fmt: skip
    return approvals.request(
        ADD,
        object_type="bank_account",
        object_id=new_id(),
        client_id=None,
        subject=f"{bank['name']} {currency.upper()}",
        payload={"bank": bank, "register": wanted.as_payload()},
        before={"Bank account": "none"},
        after={"Number": numbers.in_groups(bank["number"]), "Provider": provider, **in_words(wanted)},
        reason=reason,
        restricted=False,
        by=by,
    )


def _one_at_a_time(bank: dict[str, str]) -> None:
    key = zlib.crc32(f"{bank['number']} {bank['currency']}".encode()) - 2**31
    session().execute(sa.text("SELECT pg_advisory_xact_lock(:kind, :key)"), {"kind": _LOCK, "key": key})


def added_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Nobody else makes the same bank account meanwhile; whether it is there."""
    bank = request.payload["bank"]
    _one_at_a_time(bank)
    return {"exists": bool(queries.by_number(bank["number"], bank["currency"]))}


def execute_adding(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved new bank account."""
    bank = request.payload["bank"]
    made = ledger_accounts.register_bank_account(
        id=request.object_id, provider=bank["provider"], name=bank["name"], number=bank["number"],
        currency=bank["currency"], by=by,
    )  # fmt: skip
    _write(made.id, request, by=by)


def ask_to_change(bank_account_id: UUID, *, entry: Entry, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to change what the register says of a bank account, or to put it there.

    Raises NotFound, Invalid, Forbidden, Refused `nothingChanges`, `accountNotEmpty`, Conflict `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    _locked(bank_account_id)
    view = queries.account(bank_account_id)
    wanted = checked(entry)
    if standing(view) == wanted:
        raise Refused("This is what the register says already. Nothing would change.", code="nothingChanges")
    _require_empty(view, wanted)
    before, after = difference(standing(view), wanted)
    return approvals.request(
        CHANGE,
        object_type="bank_account",
        object_id=bank_account_id,
        client_id=None,
        subject=view.said,
        payload={"register": wanted.as_payload()},
        before=before,
        after=after,
        reason=reason,
        restricted=False,
        by=by,
    )


def _locked(bank_account_id: UUID) -> TreasuryAccount | None:
    return session().get(TreasuryAccount, bank_account_id, with_for_update=True, populate_existing=True)


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the register's row: any change of it makes the request stale."""
    row = _locked(request.object_id)
    return {"version": row.version if row else 0}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved change. Raises Refused `accountNotEmpty`."""
    _require_empty(queries.account(request.object_id), entry_of(request.payload["register"]))
    _write(request.object_id, request, by=by)


def _write(bank_account_id: UUID, request: ApprovalRequest, *, by: Actor) -> None:
    entry = entry_of(request.payload["register"])
    row = _locked(bank_account_id)
    before = standing(queries.account(bank_account_id))
    if row is None:
        row = TreasuryAccount(bank_account_id=bank_account_id, version=0)
    for name in ("pool", "purpose", "designated_from", "designated_to", "statement_format", "expected_at", "calendar",
                 "closed_on"):  # fmt: skip
        setattr(row, name, getattr(entry, name))
    row.version += 1
    row.changed_at = clock.now()
    row.approval_id = request.id
    session().add(row)
    session().flush()
    old, new = difference(before, entry)
    audit.record(
        "bankAccount.registered" if before is None else "bankAccount.changed", by=by, object_type="bank_account",
        object_id=bank_account_id, before=old, after={**new, "version": row.version}, reason=request.reason,
    )  # fmt: skip


def bank_account_of(request: ApprovalRequest) -> UUID | None:
    """The bank account that a request is about; None of a new one that was not made."""
    return session().scalar(sa.select(BankAccount.id).where(BankAccount.id == request.object_id))
