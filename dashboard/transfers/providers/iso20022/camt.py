"""What the bank booked: camt.052, camt.053 and camt.054 of any version, one entry at a time, in constant memory.

Reading makes no decision: entries come as they stand, with their details. What they mean for transfers says
`booked.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from lxml import etree

from dashboard.transfers.providers.iso20022.reading import (
    Unreadable,
    child,
    children,
    day,
    drop,
    format_of,
    local,
    moment,
    text,
    walk,
    written,
)

FORMATS = ("camt.052", "camt.053", "camt.054")
#: parts of an entry that are read; a batch of more is a file nobody could have meant
MOST_DETAILS = 100_000
#: how much of an entry is kept as it was written
MOST_SOURCES, LONGEST_SOURCE = 50, 100_000
_AMOUNT = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,8})?|\.[0-9]{1,8})")
_COUNT = re.compile(r"[0-9]{1,15}")
_STATEMENTS = ("Stmt", "Ntfctn", "Rpt")
_REFERENCES = (
    "MsgId", "AcctSvcrRef", "PmtInfId", "InstrId", "EndToEndId", "UETR", "TxId", "MndtId", "ChqNb", "ClrSysRef",
    "AcctOwnrTxId", "AcctSvcrTxId", "MktInfrstrctrTxId", "PrcgId",
)  # fmt: skip
#: what banks write where there is no reference
NOTHING = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF", "NONE", "N/A", "-"})


@dataclass(frozen=True)
class Balance:
    """`kind`: OPBD, CLBD, CLAV … as the bank says; `amount` is negative for a debit balance."""

    kind: str
    amount: Decimal
    currency: str
    on: date | None


@dataclass(repr=False)
class Statement:
    """What entries stand in. `account` is the IBAN or the bank's own number, without blanks."""

    format: str
    message_id: str | None
    id: str | None
    account: str | None
    currency: str | None
    created: datetime | None = None
    owner: str | None = None
    balances: list[Balance] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Party:
    name: str | None = None
    account: str | None = None
    bic: str | None = None
    country: str | None = None


@dataclass(frozen=True, repr=False)
class Detail:
    """One transaction of an entry. `amount` None: the bank gave none of its own."""

    amount: Decimal | None
    currency: str | None
    credit: bool
    references: dict[str, str]
    debtor: Party
    creditor: Party
    ultimate_debtor: str | None
    remittance: str | None
    #: reason code where the transaction is a return
    return_code: str | None
    returned: bool
    #: end-to-end id of what comes back, where it is told apart from its own
    original_end_to_end_id: str | None


@dataclass(frozen=True, repr=False)
class Entry:
    """`number` counts from 1 within the file. `problem` says why the details cannot be taken."""

    number: int
    statement: Statement
    amount: Decimal | None
    currency: str | None
    credit: bool
    reversal: bool
    #: BOOK, PDNG, INFO
    status: str | None
    booked_at: datetime | None
    value_date: date | None
    reference: str | None
    servicer_reference: str | None
    #: family and sub-family (ISO 20022 bank transaction code), or the bank's own code
    codes: tuple[str, ...]
    information: str | None
    details: tuple[Detail, ...]
    problem: str | None = None
    #: the entry as the bank wrote it, cut where it is very long
    source: str | None = None


def entries(path: Path) -> Iterator[Entry]:
    """All entries of a file in their order. Raises Unreadable, also in the midst of it."""
    kind = format_of(path)
    if kind not in FORMATS:
        raise Unreadable(f"{kind} holds no booked entries.")
    statement = Statement(kind, None, None, None, None)
    message_id: str | None = None
    details: list[Detail] = []
    sources: list[str] = []
    count = number = 0
    asked = frozenset({"GrpHdr", "Acct", "Bal", "TxDtls", "Ntry"})
    for name, element in walk(path, asked):
        parent = element.getparent()
        above = local(parent) if parent is not None else ""
        if name == "GrpHdr":
            message_id = text(element, "MsgId")
        elif name == "Acct" and above in _STATEMENTS:
            # the account comes before the entries and after the identification, in every version
            statement = Statement(
                kind, message_id, text(parent, "Id"), _account(element), _lower(text(element, "Ccy")),
                moment(child(parent, "CreDtTm")), text(element, "Ownr", "Nm"),
            )  # fmt: skip
        elif name == "Bal" and above in _STATEMENTS:
            balance = _balance(element)
            if balance is not None:
                statement.balances.append(balance)
            drop(element)
        elif name == "TxDtls":
            count += 1
            if count <= MOST_DETAILS:
                details.append(_detail(element, credit=_is_credit(parent.getparent() if parent is not None else None)))
            if count <= MOST_SOURCES:
                sources.append(written(element))
            drop(element)
        elif name == "Ntry" and above in _STATEMENTS:
            number += 1
            sources.insert(0, written(element))
            yield _entry(element, number, statement, tuple(details), count, "\n".join(sources)[:LONGEST_SOURCE])
            details, sources, count = [], [], 0
            drop(element)


def _entry(
    element: etree._Element,
    number: int,
    statement: Statement,
    details: tuple[Detail, ...],
    count: int,
    source: str,
) -> Entry:
    amount, currency = _amount(child(element, "Amt"))
    credit = _is_credit(element)
    codes = child(element, "BkTxCd")
    found = (
        text(codes, "Domn", "Cd"), text(codes, "Domn", "Fmly", "Cd"), text(codes, "Domn", "Fmly", "SubFmlyCd"),
        text(codes, "Prtry", "Cd"),
    )  # fmt: skip
    batch = child(element, "NtryDtls", "Btch")
    told = text(batch, "NbOfTxs")
    return Entry(
        number=number,
        statement=statement,
        amount=amount,
        currency=currency,
        credit=credit,
        reversal=text(element, "RvslInd") in {"true", "1"},
        # a code of its own since version 7, plain text before
        status=text(element, "Sts", "Cd") or text(element, "Sts"),
        booked_at=moment(child(element, "BookgDt")),
        value_date=day(child(element, "ValDt")),
        reference=text(element, "NtryRef"),
        servicer_reference=text(element, "AcctSvcrRef"),
        codes=tuple(code for code in found if code),
        information=text(element, "AddtlNtryInf"),
        details=details,
        problem=_problem(
            amount, currency, credit, details, count, int(told) if told and _COUNT.fullmatch(told) else None
        ),
        source=source,
    )


def _problem(
    amount: Decimal | None,
    currency: str | None,
    credit: bool,
    details: tuple[Detail, ...],
    count: int,
    told: int | None,
) -> str | None:
    """Why the details of the entry cannot be told apart, or do not make its amount."""
    if amount is None or currency is None:
        return "The entry has no amount that can be read."
    if count > MOST_DETAILS:
        return f"The entry has more than {MOST_DETAILS:,} transactions."
    if told is not None and told > 1 and count <= 1:
        return f"The entry stands for {told} transactions and does not say which."
    if count <= 1:
        return None
    total = Decimal(0)
    for each in details:
        if each.amount is None or each.currency != currency:
            return "The transactions of the entry have no amounts of their own in its currency."
        total += each.amount if each.credit == credit else -each.amount
    if total != amount:
        return "The transactions of the entry do not add up to its amount."
    return None


def _detail(element: etree._Element, *, credit: bool) -> Detail:
    amount, currency = _amount(child(element, "Amt"))
    if amount is None:
        amount, currency = _amount(child(element, "AmtDtls", "TxAmt", "Amt"))
    own = text(element, "CdtDbtInd")
    refs = child(element, "Refs")
    references = {name: said for name in _REFERENCES if (said := text(refs, name)) and said.upper() not in NOTHING}
    for other in children(refs, "Prtry"):
        said = text(other, "Ref")
        if said:
            references.setdefault("Prtry", said)
    parties, agents, back = child(element, "RltdPties"), child(element, "RltdAgts"), child(element, "RtrInf")
    return Detail(
        amount=amount,
        currency=currency,
        credit=own == "CRDT" if own else credit,
        references=references,
        debtor=_party(parties, agents, "Dbtr"),
        creditor=_party(parties, agents, "Cdtr"),
        ultimate_debtor=text(parties, "UltmtDbtr", "Nm") or text(parties, "UltmtDbtr", "Pty", "Nm"),
        remittance=_remittance(child(element, "RmtInf")) or text(element, "AddtlTxInf"),
        return_code=text(back, "Rsn", "Cd") or text(back, "Rsn", "Prtry"),
        returned=back is not None,
        original_end_to_end_id=next(
            (text(each) for each in element.iter() if local(each) == "OrgnlEndToEndId" and text(each)), None
        ),
    )


def _party(parties: etree._Element | None, agents: etree._Element | None, side: str) -> Party:
    who = child(parties, side)
    # since version 8 a party is a person (Pty) or a bank (Agt)
    person = child(who, "Pty") if child(who, "Pty") is not None else who
    agent = child(agents, f"{side}Agt", "FinInstnId")
    address = child(person, "PstlAdr")
    return Party(
        name=text(person, "Nm") or text(who, "Agt", "FinInstnId", "Nm"),
        account=_account(child(parties, f"{side}Acct")),
        bic=text(agent, "BICFI") or text(agent, "BIC"),
        country=text(address, "Ctry") or text(person, "CtryOfRes"),
    )


def _account(element: etree._Element | None) -> str | None:
    number = text(element, "Id", "IBAN") or text(element, "Id", "Othr", "Id")
    return "".join(number.split()).upper() if number else None


def _remittance(element: etree._Element | None) -> str | None:
    """Unstructured lines as one text, then references of structured ones that do not stand in it."""
    parts = [said for each in children(element, "Ustrd") if (said := text(each))]
    for structured in children(element, "Strd"):
        for said in (
            text(structured, "CdtrRefInf", "Ref"),
            *(text(each, "Nb") for each in children(structured, "RfrdDocInf")),
            *(text(each) for each in children(structured, "AddtlRmtInf")),
        ):
            if said and not any(said in part for part in parts):
                parts.append(said)
    return " ".join(parts) or None


def _balance(element: etree._Element) -> Balance | None:
    amount, currency = _amount(child(element, "Amt"))
    kind = text(element, "Tp", "CdOrPrtry", "Cd") or text(element, "Tp", "CdOrPrtry", "Prtry")
    if amount is None or currency is None or kind is None:
        return None
    return Balance(kind, amount if _is_credit(element) else -amount, currency, day(child(element, "Dt")))


def _amount(element: etree._Element | None) -> tuple[Decimal | None, str | None]:
    said = text(element)
    if element is None or said is None:
        return None, None
    # as xs:decimal writes it: no exponent, which would make a short file a long number
    if not _AMOUNT.fullmatch(said):
        return None, None
    return Decimal(said), _lower(element.get("Ccy"))


def _is_credit(element: etree._Element | None) -> bool:
    """Of an entry; for details inside of it, of the entry above them."""
    while element is not None:
        said = text(element, "CdtDbtInd")
        if said:
            return said == "CRDT"
        element = element.getparent()
    return False


def _lower(said: str | None) -> str | None:
    return said.strip().lower() if said else None
