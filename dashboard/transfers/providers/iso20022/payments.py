"""Payments as a bank takes them: pain.001.001.09, the same bytes for the same batch, valid by the message's schema.

SEPA is written by sepaxml. What is not SEPA (other currencies, numbers that are no IBAN) it cannot write; that is
written here and held against the same schema. Texts are brought to the characters that banks take; the transfer keeps
the original.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import sepaxml
from lxml import etree
from schwifty import IBAN
from text_unidecode import unidecode

from dashboard.money import Money
from dashboard.transfers.providers.port import Instruction
from dashboard.transfers.vocabulary import TransferType

FORMAT = "pain.001.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{FORMAT}"
_SEPA = (TransferType.SEPA, TransferType.SEPA_INSTANT)
#: the Latin characters of the European Payments Council
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


class NotWritable(Exception):
    """The batch makes no valid message. The text names the rule, no personal data."""


@dataclass(frozen=True, repr=False)
class Debtor:
    """Whose bank account pays: the house's."""

    name: str
    account: str
    currency: str
    bic: str | None = None


def message(message_id: str, created: datetime, debtor: Debtor, instructions: Sequence[Instruction]) -> bytes:
    """One file of one debtor account, currency and type. Raises NotWritable."""
    kinds = {each.type for each in instructions}
    if not instructions or len(kinds) != 1 or {each.currency for each in instructions} != {debtor.currency}:
        raise NotWritable("A file holds payments of one type and currency.")
    if not all(each.creditor_account for each in instructions):
        raise NotWritable("A payment names the account it goes to.")
    [kind] = kinds
    sepa = kind in _SEPA and debtor.currency == "eur" and _is_iban(debtor.account)
    sepa = sepa and all(_is_iban(each.creditor_account) for each in instructions)
    document = (_by_sepaxml if sepa else _by_hand)(message_id, created, debtor, instructions, kind)
    content = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    # read again: what was validated is what is written
    written = etree.fromstring(content, _parser())
    if not _schema().validate(written):
        rules = {error.type_name for error in _schema().error_log}  # type: ignore[attr-defined]
        raise NotWritable(f"The message breaks its schema: {', '.join(sorted(rules))}.")
    return content


def plain(text: str, longest: int) -> str:
    """In the characters that banks take, cut to length, never empty."""
    kept = _NOT_TAKEN.sub(" ", unidecode(text))
    return " ".join(kept.split())[:longest].strip().lstrip("/:-").strip() or "-"


def message_id(provider: str, made_from: str) -> str:
    """35 characters at most, the same for the same batch."""
    return f"CH-{provider[:8].upper()}-{made_from}"[:35]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)


@cache
def _schema() -> etree.XMLSchema:
    path = files("sepaxml") / "schemas" / f"{FORMAT}.xsd"
    return etree.XMLSchema(etree.fromstring(path.read_bytes(), _parser()))


def _is_iban(number: str) -> bool:
    return IBAN(number, allow_invalid=True).is_valid


def _by_sepaxml(
    identifier: str, created: datetime, debtor: Debtor, instructions: Sequence[Instruction], kind: TransferType
) -> etree._Element:
    config = {"name": plain(debtor.name, 70), "IBAN": debtor.account, "currency": "EUR", "batch": True}
    if debtor.bic:
        config["BIC"] = debtor.bic
    writer = sepaxml.SepaTransfer(config, schema=FORMAT, clean=True)
    for each in instructions:
        payment = {
            "name": plain(each.creditor_name, 70),
            "IBAN": each.creditor_account,
            "amount": each.amount_minor,
            "execution_date": each.requested_on,
            "description": plain(each.remittance, 140),
            "endtoend_id": each.end_to_end_id,
        }
        if each.creditor_bic:
            payment["BIC"] = each.creditor_bic
        writer.add_payment(payment)
    document = etree.fromstring(writer.export(validate=False), _parser())
    name = {"p": NAMESPACE}

    def every(path: str) -> list[etree._Element]:
        return document.xpath(path, namespaces=name)  # type: ignore[return-value]

    # sepaxml draws identifiers and time; a batch that is written again must read the same
    every("//p:GrpHdr/p:MsgId")[0].text = identifier
    every("//p:GrpHdr/p:CreDtTm")[0].text = _time(created)
    for place, part in enumerate(every("//p:PmtInf"), 1):
        part.find(f"{{{NAMESPACE}}}PmtInfId").text = f"{identifier[:31]}-{place}"  # type: ignore[union-attr]
        # each payment is booked on its own, so that the statement confirms each
        part.find(f"{{{NAMESPACE}}}BtchBookg").text = "false"  # type: ignore[union-attr]
        if kind is TransferType.SEPA_INSTANT:
            service = part.find(f"{{{NAMESPACE}}}PmtTpInf/{{{NAMESPACE}}}SvcLvl")
            instrument = etree.Element(f"{{{NAMESPACE}}}LclInstrm")
            etree.SubElement(instrument, f"{{{NAMESPACE}}}Cd").text = "INST"
            service.addnext(instrument)  # type: ignore[union-attr]
    return document


def _by_hand(
    identifier: str, created: datetime, debtor: Debtor, instructions: Sequence[Instruction], kind: TransferType
) -> etree._Element:
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})  # type: ignore[dict-item]

    def add(parent: etree._Element, *path: str, said: str | None = None) -> etree._Element:
        for each in path:
            parent = etree.SubElement(parent, f"{{{NAMESPACE}}}{each}")
        parent.text = said
        return parent

    def account(parent: etree._Element, number: str) -> None:
        if _is_iban(number):
            add(parent, "Id", "IBAN", said=number)
        else:
            add(parent, "Id", "Othr", "Id", said=re.sub(r"[^A-Za-z0-9]", "", number)[:34])

    root = add(document, "CstmrCdtTrfInitn")
    header = add(root, "GrpHdr")
    total = str(Money(sum(each.amount_minor for each in instructions), debtor.currency).amount)
    add(header, "MsgId", said=identifier)
    add(header, "CreDtTm", said=_time(created))
    add(header, "NbOfTxs", said=str(len(instructions)))
    add(header, "CtrlSum", said=total)
    add(header, "InitgPty", "Nm", said=plain(debtor.name, 140))
    days = sorted({each.requested_on for each in instructions})
    for place, day in enumerate(days, 1):
        chosen = [each for each in instructions if each.requested_on == day]
        part = add(root, "PmtInf")
        add(part, "PmtInfId", said=f"{identifier[:31]}-{place}")
        add(part, "PmtMtd", said="TRF")
        add(part, "BtchBookg", said="false")
        add(part, "NbOfTxs", said=str(len(chosen)))
        add(part, "CtrlSum", said=str(Money(sum(each.amount_minor for each in chosen), debtor.currency).amount))
        kinds = add(part, "PmtTpInf")
        if kind is TransferType.FASTER_PAYMENTS:
            add(kinds, "SvcLvl", "Cd", said="URGP")
            add(kinds, "LclInstrm", "Prtry", said="FPS")
        else:
            add(kinds, "SvcLvl", "Cd", said="SEPA" if kind in _SEPA else "NURG")
        add(part, "ReqdExctnDt", "Dt", said=day.isoformat())
        add(part, "Dbtr", "Nm", said=plain(debtor.name, 140))
        own = add(part, "DbtrAcct")
        account(own, debtor.account)
        add(own, "Ccy", said=debtor.currency.upper())
        agent = add(part, "DbtrAgt", "FinInstnId")
        if debtor.bic:
            add(agent, "BICFI", said=debtor.bic)
        else:
            add(agent, "Othr", "Id", said="NOTPROVIDED")
        add(part, "ChrgBr", said="SHAR" if kind is TransferType.SWIFT else "SLEV")
        for each in chosen:
            payment = add(part, "CdtTrfTxInf")
            add(payment, "PmtId", "EndToEndId", said=each.end_to_end_id)
            amount = add(payment, "Amt", "InstdAmt", said=str(Money(each.amount_minor, each.currency).amount))
            amount.set("Ccy", each.currency.upper())
            if each.creditor_bic:
                add(payment, "CdtrAgt", "FinInstnId", "BICFI", said=each.creditor_bic)
            creditor = add(payment, "Cdtr")
            add(creditor, "Nm", said=plain(each.creditor_name, 140))
            if each.creditor_country:
                add(creditor, "PstlAdr", "Ctry", said=each.creditor_country)
            account(add(payment, "CdtrAcct"), each.creditor_account)
            add(payment, "RmtInf", "Ustrd", said=plain(each.remittance, 140))
    return document


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
