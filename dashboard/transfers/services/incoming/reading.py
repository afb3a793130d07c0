"""A told credit as it is stored: raw beside what was read of it, and a digest of what it means."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.audit.services import plain
from dashboard.database import new_id
from dashboard.ledger import numbers
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.transfers.models import IncomingRequest
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.services.incoming import payer_data
from dashboard.transfers.vocabulary import RequestState

LONGEST_NAME, LONGEST_ACCOUNT, LONGEST_REMITTANCE, LONGEST_REFERENCE = 300, 64, 4_000, 200
#: what banks write where there is no reference
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NONREF", "NOTAVAILABLE", "NONE", "NOREF", "UNKNOWN", "N/A"})
SHORTEST_REFERENCE = 4
#: marks the reference of a whole entry: details of a batch share it, and the entry that sums them up has it too
ENTRY = "entry:"


def cleaned(value: Any) -> Any:
    """Without what the database cannot hold (NUL, lone surrogates), everywhere in a document."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {cleaned(str(key)): cleaned(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(entry) for entry in value]
    return value


def text(value: str | None, longest: int) -> str | None:
    """Trimmed, without control characters but line breaks; None where nothing is left."""
    if value is None:
        return None
    kept = "".join(one for one in cleaned(value) if one in "\n\t" or (ord(one) >= 32 and ord(one) != 127))
    return kept.strip()[:longest].strip() or None


def account(value: str | None) -> str | None:
    """Without blanks, upper case."""
    return numbers.normalized(text(value, LONGEST_ACCOUNT) or "") or None


def says_something(reference: str | None) -> bool:
    """Whether it can tell one credit from another."""
    return (
        bool(reference)
        and len(reference or "") >= SHORTEST_REFERENCE
        and ((reference or "").upper() not in _NO_REFERENCE and set(reference or "") - set("0-. /") != set())
    )


def meaning(credit: Credit) -> bytes:
    """Digest of what a telling says, however it is laid out: blanks and letter case of numbers do not count."""

    def words(value: str | None) -> str | None:
        return " ".join(cleaned(value).split()) or None if value else None

    said = {
        "currency": credit.currency, "amount": credit.amount_minor, "reversal": credit.reversal,
        "creditor": account(credit.creditor_account), "creditorName": words(credit.creditor_name),
        "debtor": account(credit.debtor_account), "debtorName": words(credit.debtor_name),
        "debtorBic": words(credit.debtor_bic), "debtorCountry": words(credit.debtor_country),
        "remittance": words(credit.remittance), "endToEndId": words(credit.end_to_end_id),
        "returns": words(credit.returns), "bookedAt": credit.booked_at.astimezone(UTC).isoformat(),
        "valueDate": credit.value_date.isoformat() if credit.value_date else None,
    }  # fmt: skip
    return digest(said)


def digest(said: dict[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(plain(said), sort_keys=True, ensure_ascii=False).encode()).digest()


def read(credit: Credit, *, source: str, message_id: UUID | None) -> IncomingRequest:
    """A fresh row, not stored yet. What cannot be money (currency, amount) stays empty, to be mended."""
    currency = credit.currency if credit.currency in DECIMALS else None
    amount = credit.amount_minor if currency and 0 < credit.amount_minor <= LARGEST_MINOR_UNITS else None
    told = [text(one, LONGEST_REFERENCE) for one in (credit.provider_reference, *credit.references)]
    end_to_end = text(credit.end_to_end_id, LONGEST_REFERENCE)
    debtor = account(credit.debtor_account)
    name = text(credit.debtor_name, LONGEST_NAME)
    bic = (text(credit.debtor_bic, LONGEST_ACCOUNT) or "").upper() or None
    country = (text(credit.debtor_country, LONGEST_ACCOUNT) or "").upper() or None
    return IncomingRequest(
        id=new_id(),
        provider=credit.provider,
        provider_reference=credit.provider_reference,
        reversal=credit.reversal,
        source=source,
        body_hash=meaning(credit),
        raw=cleaned(credit.raw),
        message_id=message_id,
        currency=currency,
        amount_minor=amount,
        creditor_account=account(credit.creditor_account),
        creditor_name=text(credit.creditor_name, LONGEST_NAME),
        debtor_name=name,
        debtor_account=debtor,
        debtor_bic=bic,
        debtor_country=country,
        remittance=text(credit.remittance, LONGEST_REMITTANCE),
        end_to_end_id=end_to_end,
        returns=text(credit.returns, LONGEST_REFERENCE),
        references=sorted({one for one in (*told, end_to_end, _of_entry(credit.entry_reference)) if one}),
        booked_at=credit.booked_at,
        value_date=credit.value_date,
        missing=[] if credit.reversal else payer_data.missing(name=name, account=debtor, bic=bic, country=country),
        state=RequestState.RECEIVED.value,
        attempts=0,
        created_at=clock.now(),
    )


def _of_entry(reference: str | None) -> str | None:
    said = text(reference, LONGEST_REFERENCE)
    return f"{ENTRY}{said}" if says_something(said) else None


def unreadable(
    *,
    provider: str,
    provider_reference: str,
    raw: dict[str, Any],
    source: str,
    message_id: UUID | None,
    known: dict[str, Any],
    booked_at: datetime | None,
    reversal: bool,
) -> IncomingRequest:
    """A row for a message that could not be read as a credit; `known` are columns that could."""
    fields = {name: value for name, value in known.items() if value is not None}
    for name, longest in (("creditor_name", LONGEST_NAME), ("debtor_name", LONGEST_NAME),
                          ("remittance", LONGEST_REMITTANCE), ("end_to_end_id", LONGEST_REFERENCE)):  # fmt: skip
        if name in fields:
            fields[name] = text(fields[name], longest)
    for name in ("creditor_account", "debtor_account"):
        if name in fields:
            fields[name] = account(fields[name])
    told = {provider_reference, *fields.pop("references", ()), fields.get("end_to_end_id")}
    row = IncomingRequest(
        id=new_id(), provider=provider, provider_reference=provider_reference, reversal=reversal, source=source,
        body_hash=digest(cleaned(raw)), raw=cleaned(raw), message_id=message_id,
        references=sorted(one for one in (text(each, LONGEST_REFERENCE) for each in told) if one),
        booked_at=booked_at or clock.now(), state=RequestState.RECEIVED.value, attempts=0, created_at=clock.now(),
        **fields,
    )  # fmt: skip
    row.missing = [] if reversal else payer_data.missing(
        name=row.debtor_name, account=row.debtor_account, bic=row.debtor_bic, country=row.debtor_country
    )  # fmt: skip
    return row
