"""camt.053.001.08, one file for several accounts of one bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lxml import etree

from dashboard.home.demo_data.statements.bookings import Bank
from dashboard.home.demo_data.statements.telling import Entry, Line, Told
from dashboard.money import Money

FORMAT = "camt.053.001.08"
_NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{FORMAT}"
#: when the bank writes, on the morning after
_WRITTEN = time(4, 30, tzinfo=UTC)


def written(bank_name: str, statements: Sequence[tuple[Bank, Told]], owner: str) -> bytes:
    """The file. All statements are of one day; `owner` is whose accounts these are."""
    day = statements[0][1].day
    at = datetime.combine(day + timedelta(days=1), _WRITTEN).isoformat().replace("+00:00", "Z")
    names: Any = {None: _NAMESPACE}
    document = etree.Element(_tag("Document"), nsmap=names)
    message = _child(document, "BkToCstmrStmt")
    header = _child(message, "GrpHdr")
    _child(header, "MsgId", f"{bank_name}-{day:%Y%m%d}"[:35])
    _child(header, "CreDtTm", at)
    for bank, told in statements:
        _statement(_child(message, "Stmt"), bank, told, owner, at)
    content: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return content


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _child(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    made = etree.SubElement(parent, _tag(name))
    made.text = text
    return made


def _amount(parent: etree._Element, minor: int, currency: str, name: str = "Amt") -> None:
    _child(parent, name, str(Money(abs(minor), currency).amount)).set("Ccy", currency.upper())


def _side(parent: etree._Element, minor: int) -> None:
    _child(parent, "CdtDbtInd", "CRDT" if minor >= 0 else "DBIT")


def _statement(parent: etree._Element, bank: Bank, told: Told, owner: str, at: str) -> None:
    _child(parent, "Id", f"{bank.number[-8:]}-{told.day:%Y%m%d}")
    _child(parent, "ElctrncSeqNb", str(told.number))
    _child(parent, "LglSeqNb", str(told.number))
    _child(parent, "CreDtTm", at)
    period = _child(parent, "FrToDt")
    _child(period, "FrDtTm", f"{told.day}T00:00:00")
    _child(period, "ToDtTm", f"{told.day}T23:59:59")
    account = _child(parent, "Acct")
    _child(_child(account, "Id"), "IBAN", bank.number)
    _child(account, "Ccy", bank.currency.upper())
    _child(_child(account, "Ownr"), "Nm", owner)
    for code, minor in (("OPBD", told.opening), ("CLBD", told.closing)):
        balance = _child(parent, "Bal")
        _child(_child(_child(balance, "Tp"), "CdOrPrtry"), "Cd", code)
        _amount(balance, minor, bank.currency)
        _side(balance, minor)
        _child(_child(balance, "Dt"), "Dt", told.day.isoformat())
    for number, entry in enumerate(told.entries, 1):
        _entry(_child(parent, "Ntry"), bank, told.day, number, entry)


def _entry(parent: etree._Element, bank: Bank, day: date, number: int, entry: Entry) -> None:
    first = entry.lines[0]
    _child(parent, "NtryRef", str(number))
    _amount(parent, entry.amount, bank.currency)
    _side(parent, entry.amount)
    if first.reversal:
        _child(parent, "RvslInd", "true")
    _child(_child(parent, "Sts"), "Cd", "BOOK")
    _child(_child(parent, "BookgDt"), "Dt", (first.booked or day).isoformat())
    _child(_child(parent, "ValDt"), "Dt", first.value_date.isoformat())
    _child(parent, "AcctSvcrRef", entry.batch or first.reference)
    domain = _child(_child(parent, "BkTxCd"), "Domn")
    _child(domain, "Cd", "PMNT")
    family = _child(domain, "Fmly")
    _child(family, "Cd", "RCDT" if entry.amount >= 0 else "ICDT")
    _child(family, "SubFmlyCd", "ESCT")
    details = _child(parent, "NtryDtls")
    if entry.batch:
        batch = _child(details, "Btch")
        _child(batch, "PmtInfId", entry.batch)
        _child(batch, "NbOfTxs", str(len(entry.lines)))
        _amount(batch, entry.amount, bank.currency, "TtlAmt")
        _side(batch, entry.amount)
    for line in entry.lines:
        _line(_child(details, "TxDtls"), bank, line)


def _line(parent: etree._Element, bank: Bank, line: Line) -> None:
    references = _child(parent, "Refs")
    _child(references, "AcctSvcrRef", line.reference)
    _child(references, "EndToEndId", line.end_to_end_id or "NOTPROVIDED")
    _amount(parent, line.amount, bank.currency)
    _side(parent, line.amount)
    if line.party:
        other = "Dbtr" if line.amount >= 0 else "Cdtr"
        parties = _child(parent, "RltdPties")
        _child(_child(_child(parties, other), "Pty"), "Nm", line.party[:140])
        if line.party_account:
            _child(_child(_child(parties, f"{other}Acct"), "Id"), "IBAN", line.party_account)
    if line.text:
        _child(_child(parent, "RmtInf"), "Ustrd", line.text[:140])
