"""camt.052, camt.053 and camt.054 of any message version, by local names, one entry at a time.

The file is fed to the parser in blocks. Entries, their transactions and balances leave the tree as soon as they are
complete; what grows without any of them becoming complete is no statement, and is refused. A document type is refused
before anything else is looked at: there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from dashboard.treasury.statements.reading.stream import (
    Balance,
    Detail,
    End,
    Entry,
    Head,
    Item,
    Refused,
    Unreadable,
    account_number,
    cleaned,
    reference,
)
from dashboard.treasury.vocabulary import EntryStatus, StatementKind

BLOCK = 1 << 16
#: what may stand open without anything in it being complete: one transaction with all its remittance, by far
MOST_OPEN = 8 << 20
#: transactions of one entry; a batch of more is told as one sum
MOST_DETAILS = 100_000
#: transactions of an entry that may stay in the tree until the entry is complete
AT_ONCE = 50
#: elements before the message itself: business headers are short
LONGEST_HEADER = 2_000

KINDS = {
    "BkToCstmrStmt": ("camt.053", StatementKind.STATEMENT),
    "BkToCstmrAcctRpt": ("camt.052", StatementKind.INTERIM),
    "BkToCstmrDbtCdtNtfctn": ("camt.054", StatementKind.NOTIFICATION),
}
_STATEMENTS = ("Stmt", "Rpt", "Ntfctn")
_WANTED = ("GrpHdr", "Acct", "Bal", "TxDtls", "Ntry", *_STATEMENTS)
_STATUSES = {"BOOK": EntryStatus.BOOKED, "PDNG": EntryStatus.PENDING, "INFO": EntryStatus.INFORMATION}
#: an amount has no sign of its own: the direction stands beside it, and two that disagree mean nothing
_AMOUNT = re.compile(r"\+?([0-9]{1,18}(\.[0-9]{0,17})?|\.[0-9]{1,17})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[0-9]{1,18}")
#: elements that stand several times beside one another
_SEVERAL = frozenset({"Ustrd", "Strd", "Prtry", "RfrdDocInf", "AddtlRmtInf", "NtryDtls", "TxDtls"})
_AMOUNTS = frozenset({"Amt", "TtlAmt"})
#: branches that say nothing here
_LEFT_OUT = frozenset({
    "PstlAdr", "RltdAgts", "Chrgs", "Tax", "CtctDtls", "InstdAmt", "AnncdPstngAmt", "PrtryAmt", "RltdDts",
    "SplmtryData", "Intrst", "CardTx", "Avlbty", "InitgPty", "RltdPric", "RltdQties", "FinInstrmId", "SttlmInf", "Svcr",
    "UltmtCdtr", "UltmtDbtr", "Purp", "LclInstrm", "RltdRmtInf", "TechInptChanl",
})  # fmt: skip

#: a leaf is its text (amounts: text and currency), everything else a dictionary by local names
Tree = dict[str, Any]


def _parser_options() -> dict[str, Any]:
    return {
        "resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False, "remove_comments": True,
        "remove_pis": True,
    }  # fmt: skip


def _broken(error: etree.XMLSyntaxError) -> Unreadable:
    said = str(error)
    if "depth" in said.lower():
        return Unreadable("The elements are nested too deeply.")
    if "huge" in said.lower() or "too long" in said.lower():
        return Unreadable("A text in it is too long for any statement.")
    line = f" (line {error.lineno})" if error.lineno else ""
    return Unreadable(f"This is no well-formed XML{line}.")


def format_of(path: Path) -> str:
    """camt.052, camt.053 or camt.054, whatever stands around the message. Raises Unreadable."""
    seen = 0
    try:
        for _, element in etree.iterparse(str(path), events=("start",), **_parser_options()):
            if seen == 0 and element.getroottree().docinfo.doctype:
                raise Unreadable(
                    "This file declares a document type (DOCTYPE), which no camt message does. It was not read."
                )
            seen += 1
            name = etree.QName(element).localname
            if name in KINDS:
                return KINDS[name][0]
            if seen > LONGEST_HEADER:
                break
    except etree.XMLSyntaxError as error:
        raise _broken(error) from None
    raise Unreadable("This is no bank statement: camt.052, camt.053 or camt.054 is expected.")


def items(path: Path) -> Iterator[Item]:
    """The statements of a file. Raises Unreadable, also in the midst of it."""
    kind = next(kind for known, kind in KINDS.values() if known == format_of(path))
    reader = _Reader(kind)
    parser: Any = etree.XMLPullParser(events=("end",), tag=[f"{{*}}{name}" for name in _WANTED], **_parser_options())
    since = 0
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                since += len(block)
                parser.feed(block)
                for _, element in parser.read_events():
                    since = 0
                    found = reader.take(element)
                    if found:
                        yield from found
                if since > MOST_OPEN:
                    raise Unreadable("A single entry is larger than any bank writes.")
        parser.close()
        for _, element in parser.read_events():
            yield from reader.take(element)
    except etree.XMLSyntaxError as error:
        raise _broken(error) from None


class _Reader:
    """Puts together what the parser completes."""

    def __init__(self, kind: StatementKind) -> None:
        self.kind = kind
        self.place = 0
        self.message_id: str | None = None
        self.head: Head | None = None
        self.told = False
        self.number = 0
        self.balances: list[Balance] = []
        self.remarks: list[str] = []
        #: transactions of the entry that have left the tree already
        self.trees: list[Tree] = []
        self.count = 0

    def take(self, element: etree._Element) -> Sequence[Item]:
        """What is known now that this element is complete."""
        name = _name(element.tag)
        if name == "TxDtls":
            self.count += 1
            if self.count > AT_ONCE:
                # a long batch: it does not wait in the tree for the end of its entry
                if self.count <= MOST_DETAILS:
                    self.trees.append(_tree(element))
                _drop(element)
            return ()
        if name == "Ntry":
            found = self._before(element)
            self.number += 1
            try:
                found.append(self._entry(element))
            except (AttributeError, TypeError):
                # branches where texts belong
                found.append(Refused(self._where(), "The entry is not built as ISO 20022 says."))
            self.trees, self.count = [], 0
            _drop(element)
            return found
        return self._other(name, element)

    def _other(self, name: str, element: etree._Element) -> Sequence[Item]:
        if name == "Bal":
            if _parent(element) in _STATEMENTS:
                self._balance(element)
                _drop(element)
        elif name == "Acct":
            if _parent(element) in _STATEMENTS:
                self._begin(element)
        elif name in _STATEMENTS:
            found = self._before(element, over=True)
            found.append(End(tuple(self.balances), tuple(self.remarks)))
            self.head, self.told, self.number, self.balances, self.remarks = None, False, 0, [], []
            _drop(element)
            return found
        elif name == "GrpHdr":
            self.message_id = cleaned(_tree(element).get("MsgId"), 140)
        return ()

    def _where(self) -> str:
        return f"statement {self.place}, entry {self.number}"

    def _begin(self, account: etree._Element) -> None:
        parent = account.getparent()
        around = {
            name: _tree(each) if len(each) else each.text
            for each in (parent if parent is not None else ())
            if (name := _local(each.tag)) in {"Id", "ElctrncSeqNb", "LglSeqNb", "CreDtTm", "FrToDt"}
        }
        said = _tree(account)
        number = said.get("Id") or {}
        iban = number.get("IBAN") if isinstance(number, dict) else None
        other = _down(number, "Othr", "Id")
        period = around.get("FrToDt") or {}
        sequence = (_text(around.get("ElctrncSeqNb")) or _text(around.get("LglSeqNb")) or "").strip()
        currency = said.get("Ccy")
        first, last = _period(period)
        self.place += 1
        self.head = Head(
            place=self.place,
            kind=self.kind.value,
            account=account_number(_text(iban) or _text(other)),
            currency=currency.strip().lower() if isinstance(currency, str) and currency.strip() else None,
            bank_id=reference(_text(around.get("Id"))) or self.message_id,
            sequence=int(sequence) or None if _NUMBER.fullmatch(sequence) else None,
            first_day=first,
            last_day=last,
            created_on=_day(around.get("CreDtTm")),
        )

    def _before(self, element: etree._Element, *, over: bool = False) -> list[Item]:
        """The head, once: with the first entry or at the end the balances have said the currency."""
        if self.told:
            return []
        self.told = True
        if self.head is None:
            self.place += 1
            self.head = Head(self.place, self.kind.value, None, None, self.message_id)
        head = self.head
        if head.currency is None:
            told = [each.currency for each in self.balances]
            if told:
                head = replace(head, currency=told[0])
            elif not over:
                # what moved may be told in another currency than the account has
                head = replace(head, likely_currency=_money(_first(element, "Amt"))[1])
        return [head]

    def _balance(self, element: etree._Element) -> None:
        said = _tree(element)
        amount, currency = _money(said.get("Amt"))
        kind = _down(said, "Tp", "CdOrPrtry", "Cd")
        if kind is None:
            own = _down(said, "Tp", "CdOrPrtry", "Prtry")
            kind = own[0] if isinstance(own, list) and own and isinstance(own[0], str) else None
        if amount is None or currency is None or kind is None:
            self.remarks.append("A balance of the statement cannot be read.")
            return
        if said.get("CdtDbtInd") == "DBIT":
            amount = -amount
        self.balances.append(Balance(kind.upper()[:10], amount, currency, _day(said.get("Dt"))))

    def _details(self, told: Any, credit: bool, currency: str) -> tuple[Detail, ...]:
        """Those that stayed in the tree, then those that left it: the order of the file."""
        if self.count > MOST_DETAILS:
            return ()
        groups = told if isinstance(told, list) else []
        trees = [each for group in groups if isinstance(group, dict) for each in group.get("TxDtls", ())]
        found = []
        for each in (*trees, *self.trees):
            # one that left the tree stands there empty
            if isinstance(each, dict):
                try:
                    found.append(_detail(each, credit, currency))
                except (AttributeError, TypeError):
                    found.append(Detail())
        return tuple(found)

    def _entry(self, element: etree._Element) -> Entry | Refused:
        said = _tree(element)
        where = self._where()
        servicer = reference(said.get("AcctSvcrRef"))
        known = servicer or reference(said.get("NtryRef"))
        amount, currency = _money(said.get("Amt"))
        if amount is None or currency is None:
            return Refused(where, "The entry has no amount that can be read.", known)
        direction = said.get("CdtDbtInd")
        if direction not in {"CRDT", "DBIT"}:
            return Refused(where, "The entry says neither credit nor debit.", known)
        status = said.get("Sts")
        word = (_text(status.get("Cd") if isinstance(status, dict) else status) or "BOOK").strip().upper()
        codes = said.get("BkTxCd") or {}
        groups = said.get("NtryDtls")
        batch = next((each["Btch"] for each in groups or () if isinstance(each, dict) and "Btch" in each), None)
        bank = codes.get("Prtry") if isinstance(codes, dict) else None
        family = [_down(codes, "Domn", "Cd"), _down(codes, "Domn", "Fmly", "Cd"),
                  _down(codes, "Domn", "Fmly", "SubFmlyCd")]  # fmt: skip
        own = bank[0].get("Cd") if isinstance(bank, list) and bank and isinstance(bank[0], dict) else None
        text = cleaned(said.get("AddtlNtryInf"))
        return Entry(
            number=self.number,
            where=where,
            amount=amount if direction == "CRDT" else -amount,
            currency=currency,
            status=_STATUSES.get(word, EntryStatus.INFORMATION).value,
            booking_date=_day(said.get("BookgDt")),
            value_date=_day(said.get("ValDt")),
            reversal=said.get("RvslInd") in {"true", "1"},
            bank_reference=known,
            certain=servicer is not None,
            batch_reference=reference(batch.get("PmtInfId")) or reference(batch.get("MsgId"))
            if isinstance(batch, dict)
            else None,
            code=cleaned("/".join(each for each in family if isinstance(each, str)) or own, 40),
            text=text,
            details=self._details(groups, direction == "CRDT", currency),
            beside=_beside(said.get("AmtDtls"), direction == "CRDT"),
        )


def _beside(said: Any, credit: bool) -> tuple[tuple[Decimal, str], ...]:
    """What the bank says of the entry as a whole in other currencies: the amount transferred and its counter-value."""
    told = [_money(_down(said, name, "Amt")) for name in ("TxAmt", "CntrValAmt")]
    return tuple(
        dict.fromkeys(
            (amount if credit else -amount, currency) for amount, currency in told if amount is not None and currency
        )
    )


def _detail(said: Tree, credit: bool, wanted: str | None) -> Detail:
    amount, currency = _money(said.get("Amt"))
    booked, booked_in = _money(_down(said, "AmtDtls", "TxAmt", "Amt"))
    if amount is None or (currency != wanted and booked_in == wanted):
        amount, currency = booked, booked_in
    own = said.get("CdtDbtInd")
    came = own == "CRDT" if own in {"CRDT", "DBIT"} else credit
    refs = said.get("Refs") or {}
    refs = refs if isinstance(refs, dict) else {}
    other = refs.get("Prtry") or []
    named = {name: found for name, value in refs.items() if isinstance(value, str) and (found := reference(value))}
    further = [found for each in other if isinstance(each, dict) and (found := reference(each.get("Ref")))]
    parties = said.get("RltdPties") or {}
    parties = parties if isinstance(parties, dict) else {}
    side = "Dbtr" if came else "Cdtr"
    who = parties.get(side)
    who = who if isinstance(who, dict) else {}
    person = who.get("Pty") or who
    account = _down(parties, f"{side}Acct", "Id") or {}
    remittance = said.get("RmtInf") or {}
    # those of the message, the batch and the mandate tell nothing apart
    single = [
        named.get(name)
        for name in ("AcctSvcrRef", "EndToEndId", "TxId", "UETR", "InstrId", "ClrSysRef", "AcctOwnrTxId",
                     "AcctSvcrTxId", "MktInfrstrctrTxId", "PrcgId", "ChqNb")
    ]  # fmt: skip
    return Detail(
        amount=None if amount is None else amount if came else -amount,
        currency=currency,
        end_to_end_id=named.get("EndToEndId"),
        provider_reference=named.get("AcctSvcrRef") or named.get("TxId"),
        batch_reference=named.get("PmtInfId") or named.get("MsgId"),
        references=tuple(dict.fromkeys(each for each in (*single, *further) if each)),
        counterparty=cleaned(_text(person.get("Nm")) if isinstance(person, dict) else None, 200),
        counterparty_account=account_number(
            _text(account.get("IBAN")) or _down(account, "Othr", "Id") if isinstance(account, dict) else None
        ),
        remittance=_remittance(remittance) or cleaned(_text(said.get("AddtlTxInf"))),
    )


def _remittance(said: Any) -> str | None:
    """Unstructured lines as one text, then references of structured ones that do not stand in it."""
    if not isinstance(said, dict):
        return None
    parts = [text for each in said.get("Ustrd", ()) if (text := cleaned(_text(each)))]
    for structured in said.get("Strd", ()):
        if not isinstance(structured, dict):
            continue
        found = [_down(structured, "CdtrRefInf", "Ref")]
        found += [each.get("Nb") for each in structured.get("RfrdDocInf", ()) if isinstance(each, dict)]
        found += structured.get("AddtlRmtInf", ())
        for each in found:
            text = cleaned(_text(each))
            if text and not any(text in part for part in parts):
                parts.append(text)
    return cleaned(" ".join(parts))


# --- elements ------------------------------------------------------------------------------------------------------


def _local(tag: Any) -> str:
    if not isinstance(tag, str):
        raise Unreadable("Entities are not allowed.")
    return tag.rpartition("}")[2]


def _parent(element: etree._Element) -> str:
    parent = element.getparent()
    return _local(parent.tag) if parent is not None else ""


def _first(element: etree._Element, name: str) -> Any:
    for each in element:
        if _local(each.tag) == name:
            return (each.text, each.get("Ccy")) if name == "Amt" else each.text
    return None


#: what to make of an element, by its whole tag: its local name, and one of the four ways below
_KNOWN: dict[str, tuple[str, int]] = {}
_MOST_KNOWN = 2_000
_PLAIN, _SKIPPED, _MONEY, _LISTED = range(4)


def _known(tag: Any) -> tuple[str, int]:
    name = _local(tag)
    way = _SKIPPED if name in _LEFT_OUT else _MONEY if name in _AMOUNTS else _LISTED if name in _SEVERAL else _PLAIN
    if len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[tag] = name, way
    return name, way


def _name(tag: Any) -> str:
    return (_KNOWN.get(tag) or _known(tag))[0]


def _tree(element: etree._Element) -> Tree:
    """The element as dictionaries: the first of each name, all of those that stand several times."""
    found: Tree = {}
    for each in element:
        tag = each.tag
        name, way = _KNOWN.get(tag) or _known(tag)
        if way == _SKIPPED:
            continue
        value: Any = _tree(each) if len(each) else each.text
        if way == _MONEY:
            value = each.text, each.get("Ccy")
        if way == _LISTED:
            found.setdefault(name, []).append(value)
        elif name not in found:
            found[name] = value
    return found


def _down(said: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(said, dict):
            return None
        said = said.get(name)
    return said


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) else None


def _drop(element: etree._Element) -> None:
    """Forget a complete element and what stands before it, so that memory stays constant."""
    parent = element.getparent()
    element.clear()
    if parent is None:
        return
    while (before := element.getprevious()) is not None and len(before) == 0 and before.tag == element.tag:
        parent.remove(before)


def _money(said: Any) -> tuple[Decimal | None, str | None]:
    if not isinstance(said, tuple) or said[0] is None:
        return None, None
    text, currency = said[0].strip(), (said[1] or "").strip().lower()
    # as xs:decimal writes it: no exponent, which would make a short file a long number
    if not _AMOUNT.fullmatch(text) or len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        return None, None
    return Decimal(text), currency


def _day(said: Any) -> date | None:
    """Of a Dt, a DtTm or plain text: the day as it stands there, in whatever zone it was written."""
    if isinstance(said, dict):
        said = said.get("Dt") or said.get("DtTm")
    if not isinstance(said, str):
        return None
    found = _DAY.match(said.strip())
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None


def _period(said: Any) -> tuple[date | None, date | None]:
    if not isinstance(said, dict):
        return None, None
    first = _day(said.get("FrDtTm") or said.get("FrDt"))
    until = said.get("ToDtTm") or said.get("ToDt")
    last = _day(until)
    # midnight is the end of the day before
    if last is not None and first is not None and last > first and "T00:00:00" in str(until):
        last -= timedelta(days=1)
    return first, last
