"""Synthetic files of the shapes that banks write: none of them is any bank's."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.treasury.statements.conftest import IBAN


@dataclass
class E:
    """An entry. `amount` as it is written, `sign` + or -."""

    amount: str
    sign: str = "+"
    day: str = "2026-03-12"
    ref: str | None = None
    e2e: str | None = None
    status: str = "BOOK"
    currency: str = "EUR"
    text: str | None = None
    reversal: bool = False
    #: amounts of details with their signs; None: one detail without an amount
    details: list[str] | None = None
    #: written as they are
    raw: str = ""


@dataclass
class S:
    """A statement."""

    entries: list[E] = field(default_factory=list)
    opening: str | None = "100.00"
    closing: str | None = "100.00"
    day: str = "2026-03-12"
    opening_day: str | None = None
    id: str = "STM-1"
    number: int | None = None
    account: str = IBAN
    currency: str | None = "EUR"
    closing_currency: str | None = None
    first: str | None = None


_ROOT = {
    "053": ("BkToCstmrStmt", "Stmt"),
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def camt(
    *statements: S, kind: str = "053", version: str = "08", wrapped: bool = False, encoding: str = "utf-8"
) -> bytes:
    """A message of this version. Its status is a code of its own since version 7, agents have a BICFI since 3."""
    root, name = _ROOT[kind]
    body = "".join(_statement(each, name, int(version)) for each in statements)
    message = f"<{root}><GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-03-13T05:00:00+02:00</CreDtTm></GrpHdr>{body}</{root}>"
    document = f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}">{message}</Document>'
    if wrapped:
        document = (
            '<b:BizMsgEnvlp xmlns:b="urn:swift:xsd:envelope">'
            '<h:AppHdr xmlns:h="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">'
            f"<h:BizMsgIdr>X</h:BizMsgIdr></h:AppHdr>{document}</b:BizMsgEnvlp>"
        )
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{document}'.encode(encoding)


def _statement(said: S, name: str, version: int) -> str:
    number = f"<ElctrncSeqNb>{said.number}</ElctrncSeqNb>" if said.number is not None else ""
    period = (
        f"<FrToDt><FrDtTm>{said.first}T00:00:00</FrDtTm><ToDtTm>{said.day}T23:59:59</ToDtTm></FrToDt>"
        if said.first
        else ""
    )
    identified = (
        f"<IBAN>{said.account}</IBAN>" if said.account[:2].isalpha() else f"<Othr><Id>{said.account}</Id></Othr>"
    )
    currency = f"<Ccy>{said.currency}</Ccy>" if said.currency else ""
    bic = "BICFI" if version >= 3 else "BIC"
    balances = ""
    for code, amount, day, unit in (
        ("OPBD", said.opening, said.opening_day or said.day, said.currency or "EUR"),
        ("CLBD", said.closing, said.day, said.closing_currency or said.currency or "EUR"),
    ):
        if amount is not None:
            side = "DBIT" if amount.startswith("-") else "CRDT"
            balances += (
                f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{unit}">{amount.lstrip("-")}</Amt>'
                f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
            )
    rows = "".join(_entry(each, version) for each in said.entries)
    return (
        f"<{name}><Id>{said.id}</Id>{number}<CreDtTm>{said.day}T23:00:00</CreDtTm>{period}<Acct><Id>{identified}</Id>"
        f"{currency}<Svcr><FinInstnId><{bic}>BETALT22</{bic}></FinInstnId></Svcr></Acct>{balances}{rows}"
        f"<Addtl{name}Inf>end</Addtl{name}Inf></{name}>"
    )


def _entry(said: E, version: int) -> str:
    status = f"<Sts><Cd>{said.status}</Cd></Sts>" if version >= 7 else f"<Sts>{said.status}</Sts>"
    side = "CRDT" if said.sign == "+" else "DBIT"
    reversal = "<RvslInd>true</RvslInd>" if said.reversal else ""
    ref = f"<AcctSvcrRef>{escape(said.ref)}</AcctSvcrRef>" if said.ref else ""
    if said.details is None:
        details = _detail(said, None, version)
        batch = ""
    else:
        details = "".join(_detail(said, amount, version) for amount in said.details)
        batch = f"<Btch><PmtInfId>BATCH-{said.ref}</PmtInfId><NbOfTxs>{len(said.details)}</NbOfTxs></Btch>"
    text = f"<AddtlNtryInf>{escape(said.text)}</AddtlNtryInf>" if said.text else ""
    return (
        f'<Ntry><Amt Ccy="{said.currency}">{said.amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{reversal}{status}'
        f"<BookgDt><Dt>{said.day}</Dt></BookgDt><ValDt><Dt>{said.day}</Dt></ValDt>{ref}"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{batch}{details}</NtryDtls>{text}{said.raw}</Ntry>"
    )


def _detail(said: E, amount: str | None, version: int) -> str:
    side = "Dbtr" if said.sign == "+" else "Cdtr"
    name = "<Pty><Nm>Jonas Petrauskas</Nm></Pty>" if version >= 8 else "<Nm>Jonas Petrauskas</Nm>"
    e2e = f"<EndToEndId>{said.e2e}</EndToEndId>" if said.e2e else "<EndToEndId>NOTPROVIDED</EndToEndId>"
    money = ""
    if amount is not None:
        unit, _, number = amount.partition(" ") if " " in amount else (said.currency, "", amount)
        mark = "DBIT" if number.startswith("-") else "CRDT"
        money = f'<Amt Ccy="{unit}">{number.lstrip("+-")}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'
    return (
        f"<TxDtls><Refs>{e2e}</Refs>{money}<RltdPties><{side}>{name}</{side}><{side}Acct><Id>"
        f"<IBAN>LT121000011101001000</IBAN></Id></{side}Acct></RltdPties>"
        f"<RmtInf><Ustrd>{escape(said.text or 'invoice 4410')}</Ustrd></RmtInf></TxDtls>"
    )
