"""What a booked entry means for transfers: money that came in, one of ours executed, or nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboard.money import Money, NotRepresentable
from dashboard.transfers.providers.iso20022.camt import Detail, Entry
from dashboard.transfers.providers.port import Credit, Outcome, Report, plausible

#: sub-families of bank transaction codes that say: this comes back
_RETURNS = frozenset({"RRTN", "RPCR", "RIMB"})
LONGEST_REFERENCE = 90


class NotTaken(Exception):
    """The entry cannot be taken as it stands. The text says why, without personal data."""


@dataclass(frozen=True, repr=False)
class Told:
    """One thing that an entry tells; exactly one of the two."""

    credit: Credit | None = None
    report: Report | None = None


def told(entry: Entry, *, provider: str, seen: Counter[str]) -> list[Told]:
    """What the entry tells. `seen` counts references of the file, so that two alike stay two.

    Nothing for entries that are not booked yet, and for debits that carry no reference of ours to follow.
    Raises NotTaken.
    """
    if entry.status is not None and entry.status.upper() != "BOOK":
        return []
    if entry.problem is not None:
        raise NotTaken(entry.problem)
    if entry.amount == 0:
        return []
    if entry.booked_at is None:
        raise NotTaken("The entry has no booking date.")
    if not plausible(entry.booked_at):
        raise NotTaken("The booking date lies in the future, or before 2000.")
    single = len(entry.details) <= 1
    found = []
    for place, detail in enumerate(entry.details or (None,)):
        credit = entry.credit if detail is None or single else detail.credit
        # what moved on the account is the entry's amount; of several transactions each has its own
        amount = entry.amount if detail is None or single else detail.amount
        if amount == 0:
            continue
        if credit or entry.reversal:
            found.append(Told(credit=_credit(entry, detail, place, amount, credit, provider, seen)))
        elif detail is not None and "EndToEndId" in detail.references:
            found.append(
                Told(
                    report=Report(
                        end_to_end_id=detail.references["EndToEndId"],
                        outcome=Outcome.EXECUTED,
                        provider_reference=detail.references.get("AcctSvcrRef") or entry.servicer_reference,
                        at=entry.booked_at,
                    )
                )
            )
    return found


def _credit(
    entry: Entry,
    detail: Detail | None,
    place: int,
    amount: Decimal | None,
    credit: bool,
    provider: str,
    seen: Counter[str],
) -> Credit:
    currency = entry.currency or ""
    try:
        minor = Money.of(amount if amount is not None else Decimal(0), currency).minor_units
    except NotRepresentable as error:
        raise NotTaken(f"The amount cannot be taken: {error}.") from None
    if minor < 0 or entry.booked_at is None:
        raise NotTaken("The amount must be positive.")
    raw = _raw(entry, detail, amount)
    references = _references(entry, detail)
    end_to_end = detail.references.get("EndToEndId") if detail else None
    comes_back = credit and (
        entry.reversal or (detail is not None and detail.returned) or bool(_RETURNS.intersection(entry.codes))
    )
    return Credit(
        provider=provider,
        provider_reference=_own_reference(entry, detail, place, raw, seen),
        currency=currency,
        amount_minor=minor,
        creditor_account=(detail.creditor.account if detail else None) or entry.statement.account,
        booked_at=entry.booked_at,
        creditor_name=detail.creditor.name if detail else None,
        debtor_name=(detail.debtor.name or detail.ultimate_debtor) if detail else None,
        debtor_account=detail.debtor.account if detail else None,
        debtor_bic=detail.debtor.bic if detail else None,
        debtor_country=_country(detail.debtor.country) if detail else None,
        remittance=(detail.remittance if detail else None) or entry.information,
        end_to_end_id=end_to_end,
        references=references,
        # details of a batch share it with an entry that sums them up
        entry_reference=entry.servicer_reference,
        value_date=entry.value_date,
        # a credit that is reversed is booked as a debit; a reversed debit is money of ours coming back
        reversal=entry.reversal and not credit,
        returns=((detail.original_end_to_end_id or end_to_end) if detail else None) if comes_back else None,
        raw=raw,
    )


def _country(said: str | None) -> str | None:
    return said.upper() if said and len(said) == 2 and said.isalpha() else None


def _references(entry: Entry, detail: Detail | None) -> tuple[str, ...]:
    """Every reference that may tell this credit apart, the bank's own first; none of the message or the batch."""
    own = dict(detail.references) if detail else {}
    for of_many in ("MsgId", "PmtInfId", "MndtId"):
        own.pop(of_many, None)
    single = len(entry.details) <= 1
    ordered = [
        own.pop("AcctSvcrRef", None), entry.servicer_reference if single else None, own.pop("UETR", None),
        own.pop("TxId", None), own.pop("EndToEndId", None), *own.values(),
    ]  # fmt: skip
    return tuple(dict.fromkeys(each for each in ordered if each))


def _own_reference(entry: Entry, detail: Detail | None, place: int, raw: dict[str, Any], seen: Counter[str]) -> str:
    """The provider's reference of this credit, the same each time it is told.

    The bank's own reference, then the transaction's; without any, a digest of what is told. One that repeats in a
    file is numbered.
    """
    own = detail.references if detail else {}
    several = len(entry.details) > 1
    base = own.get("AcctSvcrRef") or own.get("UETR") or own.get("TxId")
    if base is None and entry.servicer_reference:
        base = f"{entry.servicer_reference}/{place + 1}" if several else entry.servicer_reference
    if base is None:
        known = repr(sorted((key, repr(value)) for key, value in raw.items()))
        base = hashlib.sha256(known.encode()).hexdigest()[:32]
    reference = base[:LONGEST_REFERENCE]
    # a reversal carries the reference of what it reverses
    place_of = f"{entry.reversal and not entry.credit} {reference}"
    seen[place_of] += 1
    return reference if seen[place_of] == 1 else f"{reference}#{seen[place_of]}"


def _raw(entry: Entry, detail: Detail | None, amount: Decimal | None) -> dict[str, Any]:
    """What was told, JSON-ready; without the message around it, so that the same credit reads the same again."""
    said: dict[str, Any] = {
        "format": entry.statement.format,
        "account": entry.statement.account,
        "amount": None if amount is None else f"{amount:f}",
        "currency": entry.currency,
        "credit": entry.credit,
        "reversal": entry.reversal,
        "bookedAt": entry.booked_at.isoformat() if entry.booked_at else None,
        "valueDate": entry.value_date.isoformat() if entry.value_date else None,
        "servicerReference": entry.servicer_reference,
        "codes": list(entry.codes),
        "information": entry.information,
    }
    if detail is not None:
        said |= {
            "references": detail.references,
            "debtor": vars(detail.debtor),
            "creditor": vars(detail.creditor),
            "ultimateDebtor": detail.ultimate_debtor,
            "remittance": detail.remittance,
            "returnCode": detail.return_code,
        }
    return said
