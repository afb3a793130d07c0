"""Files of banks: written the same each time and valid; read in any version; what is hostile or unknown is refused."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from lxml import etree

from dashboard.database import new_id
from dashboard.transfers.providers.iso20022 import booked, camt, payments, reading, statuses
from dashboard.transfers.providers.port import Instruction, Outcome
from dashboard.transfers.vocabulary import TransferType

pytestmark = pytest.mark.usefixtures("app")
HOUSE = "LT121000011101001000"
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


def instruction(**said: object) -> Instruction:
    values: dict[str, object] = {
        "transfer_id": new_id(), "end_to_end_id": "E2E-1", "type": TransferType.SEPA, "currency": "eur",
        "amount_minor": 12_34, "debtor_name": "Mari Ilves", "debtor_account": HOUSE,
        "creditor_name": "Łukasz Żółw & Søn", "creditor_account": "EE382200221020145685", "creditor_bic": "HABAEE2X",
        "creditor_country": "EE", "remittance": "Счёт 4410 <за> ноябрь", "requested_on": date(2026, 11, 27),
    }  # fmt: skip
    return Instruction(**(values | said))  # type: ignore[arg-type]


def written(*instructions: Instruction, currency: str = "eur", account: str = HOUSE) -> bytes:
    return payments.message("CH-NORTH-1", NOW, payments.Debtor("Countinghouse", account, currency), instructions)


def said(content: bytes, path: str) -> list[str]:
    root = etree.fromstring(content)
    return root.xpath(f"//p:{path}/text()", namespaces={"p": payments.NAMESPACE})  # type: ignore[return-value]


def camt_file(folder: Path, entries: str, *, version: str = "camt.054.001.08", account: str = HOUSE) -> Path:
    root, inner = ("BkToCstmrDbtCdtNtfctn", "Ntfctn") if version.startswith("camt.054") else ("BkToCstmrStmt", "Stmt")
    path = folder / f"{new_id().hex}.xml"
    path.write_text(
        f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:{version}"><{root}><GrpHdr>'
        f"<MsgId>M1</MsgId></GrpHdr><{inner}><Id>S1</Id><CreDtTm>2026-11-27T10:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{entries}</{inner}></{root}></Document>"
    )
    return path


def entry(
    amount: str = "10.00", *, kind: str = "CRDT", ref: str = "B1", details: str = "", more: str = "",
    booked_on: str = "<Dt>2026-11-27</Dt>", status: str = "<Cd>BOOK</Cd>", reversal: str = "",
) -> str:  # fmt: skip
    flag = f"<RvslInd>{reversal}</RvslInd>" if reversal else ""
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{kind}</CdtDbtInd>{flag}<Sts>{status}</Sts><BookgDt>{booked_on}'
        f"</BookgDt><ValDt><Dt>2026-11-28</Dt></ValDt><AcctSvcrRef>{ref}</AcctSvcrRef>{more}"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def detail(amount: str | None = "10.00", *, end_to_end: str = "E2E-9", more: str = "", refs: str = "") -> str:
    money = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId>{refs}</Refs>{money}<RltdPties><Dbtr><Pty><Nm>Anna Payer"
        "</Nm><PstlAdr><Ctry>DE</Ctry></PstlAdr></Pty></Dbtr><DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id>"
        "</DbtrAcct><CdtrAcct><Id><Othr><Id>12-34-56 789</Id></Othr></Id></CdtrAcct></RltdPties><RltdAgts><DbtrAgt>"
        "<FinInstnId><BICFI>COBADEFF</BICFI></FinInstnId></DbtrAgt></RltdAgts><RmtInf><Ustrd>Invoice 17</Ustrd>"
        f"<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>{more}</TxDtls>"
    )


def resident_kilobytes() -> int:
    """Of this process now, not its most ever."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(said.stdout)


def told(path: Path) -> list[booked.Told]:
    seen: Counter[str] = Counter()
    return [each for found in camt.entries(path) for each in booked.told(found, provider="north", seen=seen)]


def test_the_same_batch_makes_the_same_file() -> None:
    batch = [instruction(), instruction(end_to_end_id="E2E-2", creditor_bic=None)]
    assert written(*batch) == written(*batch)
    assert said(written(*batch), "EndToEndId") == ["E2E-1", "E2E-2"]
    assert said(written(*batch), "CtrlSum") == ["24.68", "24.68"]


def test_texts_are_brought_to_what_banks_take() -> None:
    content = written(instruction())
    assert said(content, "Cdtr/p:Nm") == ["Lukasz Zolw Son"]
    assert said(content, "Ustrd") == ["Schiot 4410 za noiabr'"]
    assert said(written(instruction(remittance="///")), "Ustrd") == ["-"]


def test_instant_payments_say_so() -> None:
    assert said(written(instruction(type=TransferType.SEPA_INSTANT)), "LclInstrm/p:Cd") == ["INST"]


@pytest.mark.parametrize(
    ("type", "currency", "account", "service"),
    [
        (TransferType.FASTER_PAYMENTS, "gbp", "20451899881122", "URGP"),
        (TransferType.SWIFT, "usd", "US-0042/77", "NURG"),
        (TransferType.SWIFT, "pln", "PL61109010140000071219812874", "NURG"),
        (TransferType.SWIFT, "jpy", "JP-1", "NURG"),
    ],
)
def test_other_currencies_and_numbers_make_valid_files_too(
    type: TransferType, currency: str, account: str, service: str
) -> None:
    content = written(
        instruction(type=type, currency=currency, creditor_account=account), currency=currency, account="GB-HOUSE-1"
    )
    assert said(content, "SvcLvl/p:Cd") == [service]
    assert said(content, "InstdAmt") == ["1234" if currency == "jpy" else "12.34"]


def test_what_breaks_the_schema_is_not_written() -> None:
    with pytest.raises(payments.NotWritable):
        written(instruction(creditor_bic="nonsense"))
    with pytest.raises(payments.NotWritable):
        written(instruction(), instruction(type=TransferType.SEPA_INSTANT))


def test_a_credit_is_read_with_all_that_the_bank_gave(tmp_path: Path) -> None:
    path = camt_file(tmp_path, entry(details=detail(refs="<TxId>T-1</TxId>")))
    [found] = told(path)
    credit = found.credit
    assert credit is not None
    assert (credit.amount_minor, credit.currency, credit.reversal, credit.returns) == (10_00, "eur", False, None)
    assert (credit.debtor_name, credit.debtor_account, credit.debtor_bic, credit.debtor_country) == (
        "Anna Payer", "DE89370400440532013000", "COBADEFF", "DE",
    )  # fmt: skip
    assert credit.creditor_account == "12-34-56789"
    assert credit.remittance == "Invoice 17 RF18539007547034"
    assert set(credit.references) == {"B1", "T-1", "E2E-9"}
    # a day without a time begins at midnight of the house
    assert credit.booked_at == datetime(2026, 11, 26, 22, tzinfo=UTC)
    assert credit.value_date == date(2026, 11, 28)


@pytest.mark.parametrize("version", ["camt.054.001.02", "camt.054.001.08", "camt.053.001.02", "camt.053.001.10"])
def test_every_version_is_read(tmp_path: Path, version: str) -> None:
    assert len(told(camt_file(tmp_path, entry(details=detail()), version=version))) == 1


def test_times_without_a_zone_are_the_houses(tmp_path: Path) -> None:
    def moment(said: str) -> datetime:
        [found] = told(camt_file(tmp_path, entry(booked_on=f"<DtTm>{said}</DtTm>", details=detail())))
        assert found.credit
        return found.credit.booked_at

    assert moment("2026-11-27T12:00:00") == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert moment("2026-11-27T12:00:00+01:00") == datetime(2026, 11, 27, 11, tzinfo=UTC)


def test_a_batch_is_told_apart_only_where_its_parts_make_its_amount(tmp_path: Path) -> None:
    good = entry("30.00", details=detail("10.00", end_to_end="A1") + detail("20.00", end_to_end="A2"))
    assert [each.credit.amount_minor for each in told(camt_file(tmp_path, good)) if each.credit] == [10_00, 20_00]
    assert len({each.credit.provider_reference for each in told(camt_file(tmp_path, good)) if each.credit}) == 2
    for bad in (
        entry("31.00", details=detail("10.00") + detail("20.00")),
        entry("30.00", details=detail(None) + detail(None)),
        entry("30.00", details="<Btch><NbOfTxs>3</NbOfTxs></Btch>"),
    ):
        with pytest.raises(booked.NotTaken):
            told(camt_file(tmp_path, bad))


def test_of_a_single_transaction_the_booked_amount_counts(tmp_path: Path) -> None:
    [found] = told(camt_file(tmp_path, entry("9.50", details=detail("10.00"))))
    assert found.credit and found.credit.amount_minor == 9_50


def test_references_that_repeat_stay_apart(tmp_path: Path) -> None:
    found = told(camt_file(tmp_path, entry(ref="SAME", details=detail()) * 2))
    assert [each.credit.provider_reference for each in found if each.credit] == ["SAME", "SAME#2"]
    nameless = entry(ref="", details=detail())
    first, again = (told(camt_file(tmp_path, nameless))[0].credit for _ in range(2))
    assert first and again and first.provider_reference == again.provider_reference


def test_pending_entries_are_nothing_yet(tmp_path: Path) -> None:
    assert told(camt_file(tmp_path, entry(status="<Cd>PDNG</Cd>") + entry(status="INFO"))) == []


def test_a_debit_confirms_ours_and_a_reversal_takes_back(tmp_path: Path) -> None:
    [debit] = told(
        camt_file(tmp_path, entry(kind="DBIT", details=detail(end_to_end="OURS")), version="camt.053.001.08")
    )
    assert debit.report and (debit.report.end_to_end_id, debit.report.outcome) == ("OURS", Outcome.EXECUTED)
    [taken] = told(camt_file(tmp_path, entry(kind="DBIT", reversal="true", details=detail())))
    assert taken.credit and taken.credit.reversal and taken.credit.returns is None
    [back] = told(camt_file(tmp_path, entry(reversal="true", details=detail(end_to_end="OURS"))))
    assert back.credit and not back.credit.reversal and back.credit.returns == "OURS"


def test_a_payment_without_an_account_is_not_written() -> None:
    with pytest.raises(payments.NotWritable):
        written(instruction(returns="C1", creditor_account=""))


def test_a_return_names_what_comes_back(tmp_path: Path) -> None:
    reason = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
    [found] = told(camt_file(tmp_path, entry(details=detail(end_to_end="OURS", more=reason))))
    assert found.credit and found.credit.returns == "OURS"


def test_amounts_that_the_currency_does_not_have_are_not_rounded(tmp_path: Path) -> None:
    with pytest.raises(booked.NotTaken):
        told(camt_file(tmp_path, entry("10.001", details=detail(None))))
    [found] = told(camt_file(tmp_path, entry("10.00000", details=detail(None))))
    assert found.credit and found.credit.amount_minor == 10_00


def test_balances_of_a_statement_are_read(tmp_path: Path) -> None:
    balance = (
        '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<Dt><Dt>2026-11-27</Dt></Dt></Bal>"
    )
    [found] = camt.entries(camt_file(tmp_path, balance + entry(details=detail()), version="camt.053.001.08"))
    assert found.statement.balances == [camt.Balance("CLBD", Decimal("-5.00"), "eur", date(2026, 11, 27))]


@pytest.mark.parametrize(
    "content",
    [
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "x">]>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">'
        "<BkToCstmrDbtCdtNtfctn>&e;</BkToCstmrDbtCdtNtfctn></Document>",
        '<!DOCTYPE Document SYSTEM "file:///etc/passwd"><Document/>',
        "<Document><Unknown/></Document>", "no xml", "", ":20:STARTUMS", "<a>" * 100,
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn>',
    ],
)  # fmt: skip
def test_what_is_hostile_unknown_or_cut_off_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(content)
    with pytest.raises(reading.Unreadable):
        list(camt.entries(path))


def status_file(folder: Path, group: str = "", parts: str = "", *, version: str = "pain.002.001.03") -> Path:
    path = folder / "status.xml"
    path.write_text(
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{version}"><CstmrPmtStsRpt><GrpHdr><MsgId>R</MsgId></GrpHdr>'
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>OUR-1</OrgnlMsgId>{group}</OrgnlGrpInfAndSts>{parts}</CstmrPmtStsRpt></Document>"
    )
    return path


@pytest.mark.parametrize("version", ["pain.002.001.03", "pain.002.001.10"])
def test_statuses_are_read_on_each_level(tmp_path: Path, version: str) -> None:
    single = (
        "<OrgnlPmtInfAndSts><OrgnlPmtInfId>P-1</OrgnlPmtInfId><PmtInfSts>PART</PmtInfSts>"
        "<TxInfAndSts><OrgnlEndToEndId>A</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn>"
        "<AddtlInf>Closed</AddtlInf></StsRsnInf></TxInfAndSts>"
        "<TxInfAndSts><OrgnlEndToEndId>B</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>"
    )
    found = list(statuses.statuses(status_file(tmp_path, "<GrpSts>ACCP</GrpSts>", single, version=version)))
    reports = [each.report for each in found if each.report]
    assert [(each.end_to_end_id, each.outcome, each.code, each.reason) for each in reports] == [
        ("A", Outcome.REJECTED, "AC04", "Closed"),
        ("B", Outcome.EXECUTED, None, None),
    ]
    assert [(each.status, each.message_id) for each in found if not each.report] == [
        ("PART", "OUR-1"),
        ("ACCP", "OUR-1"),
    ]


def test_a_long_statement_is_read_in_constant_memory(tmp_path: Path, app: Flask) -> None:
    # what reading anything at all takes is there before; whatever ran before in this process does not count
    assert sum(1 for _ in camt.entries(camt_file(tmp_path, entry(details=detail()) * 100))) == 100
    path = camt_file(tmp_path, entry(details=detail()) * 20_000)
    before, most = resident_kilobytes(), 0
    for place, _ in enumerate(camt.entries(path), 1):
        if place % 1_000 == 0:
            most = max(most, resident_kilobytes() - before)
    assert place == 20_000
    assert most < 20_000
