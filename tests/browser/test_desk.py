"""The officer's walk through the desk, on a bank's own file: recognized, unrecognized, assigned, undone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.queries.payments import numbers_of
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from dashboard.transfers.inbox import read_inboxes
from dashboard.transfers.services import providers
from tests.browser.axe import broken_rules
from tests.browser.conftest import Live
from tests.clients.making import activated, person
from tests.ledger.conftest import Book
from tests.transfers.receiving import received

IBAN = "LT947300010000000001"
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn>
<GrpHdr><MsgId>NTF-1</MsgId><CreDtTm>{now}</CreDtTm></GrpHdr>
<Ntfctn><Id>N1</Id><CreDtTm>{now}</CreDtTm>
<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>{entries}</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"""
ENTRY = """<Ntry><NtryRef>{ref}</NtryRef><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>{now}</DtTm></BookgDt><ValDt><Dt>{day}</Dt></ValDt>
<AcctSvcrRef>{ref}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>
</BkTxCd><NtryDtls><TxDtls><Refs><AcctSvcrRef>{ref}</AcctSvcrRef><EndToEndId>{ref}-E2E</EndToEndId></Refs>
<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<RltdPties><Dbtr><Pty><Nm>{payer}</Nm><PstlAdr><Ctry>LT</Ctry></PstlAdr></Pty></Dbtr>
<DbtrAcct><Id><IBAN>LT601010012345678901</IBAN></Id></DbtrAcct>{creditor}</RltdPties>
<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""
CREDITOR = "<CdtrAcct><Id><IBAN>{number}</IBAN></Id></CdtrAcct>"


def entry(ref: str, amount: str, payer: str, text: str, number: str | None = None) -> str:
    now = clock.now()
    return ENTRY.format(
        ref=ref, amount=amount, payer=payer, text=text, now=now.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        day=now.date().isoformat(), creditor=CREDITOR.format(number=number) if number else "",
    )  # fmt: skip


class Bank:
    """A bank whose files land in the inbox, and a client with an account."""

    def __init__(self, live: Live, folder: Path) -> None:
        self.app, self.folder = live.app, folder
        self.officer, self.senior = live.staff(Role.OFFICER, "M. Tamm"), live.staff(Role.SENIOR_OFFICER, "R. Kask")
        with self.app.app_context():
            people = {one.name: staff_services.actor_of(one) for one in session().scalars(sa.select(StaffMember))}
            with transaction():
                providers.register_provider(key="bank-alpha", name="Bank Alpha", kind="files", by=system())
                bank = accounts.register_bank_account(
                    provider="bank-alpha", name="Bank Alpha", number=IBAN, currency="eur", by=system()
                )
            client = activated(person(people["M. Tamm"]), people["M. Tamm"], people["R. Kask"])
            self.account = Book().account(owner=client.id)
            self.number = numbers_of([self.account])[self.account]
            self.suspense: UUID = (
                session()
                .scalars(
                    sa.select(Account.id).where(
                        Account.bank_account_id == bank.id, Account.type == AccountType.SUSPENSE.value
                    )
                )
                .one()
            )
            session().commit()

    def sends(self, *entries: str) -> None:
        """A camt.054 file lands in the inbox and is read."""
        inbox = self.folder / "inbox" / "bank-alpha"
        inbox.mkdir(parents=True, exist_ok=True)
        now = clock.now().strftime("%Y-%m-%dT%H:%M:%S+00:00")
        (inbox / "alpha.xml").write_text(CAMT.format(now=now, iban=IBAN, entries="".join(entries)))
        with self.app.app_context():
            assert read_inboxes(self.folder, by=system(), settled_seconds=0) == 1
            failed = list((inbox / "failed").glob("*.txt"))
            assert not failed, failed[0].read_text()

    def balance(self, account_id: UUID) -> int:
        with self.app.app_context():
            return Book().balance(account_id)[0]


def opened(page: Page, payer: str) -> None:
    page.locator(".desklist").get_by_role("link", name=payer).click()
    expect(page.locator("#item h2")).to_contain_text(payer)


def test_a_file_lands_and_the_desk_settles_what_nothing_recognized(live: Live, tmp_path: Path) -> None:
    bank = Bank(live, tmp_path)
    bank.sends(
        entry("BA-1", "20.00", "Known Payer", "rent", bank.number),
        entry("BA-2", "1250.00", "Jonas Petrauskas", "inv 77 mari ilves"),
        entry("BA-3", "15000.00", "Nordvik AS", f"contract {bank.number[-8:]}"),
    )
    assert bank.balance(bank.account) == 2_000 and bank.balance(bank.suspense) == 1_625_000

    page = live.sign_in_through_the_page(bank.officer)
    page.get_by_role("link", name="Unrecognized").first.click()
    expect(page.locator(".strip")).to_contain_text("16,250.00 EUR · 2 items")
    opened(page, "Jonas Petrauskas")
    expect(page.locator("#item")).to_contain_text("inv 77 mari ilves")
    expect(page.locator("#item")).to_contain_text("BA-2")
    expect(page.locator(".evidence")).to_contain_text("Mari Ilves")
    # the first Enter reads back, the second posts: no money moves on one key
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    strip = page.locator("#act .confirm")
    expect(strip).to_contain_text("Assign 1,250.00 EUR from Jonas Petrauskas to Mari Ilves")
    expect(strip).to_contain_text("Posts at once.")
    assert bank.balance(bank.account) == 2_000
    page.keyboard.press("Escape")
    expect(strip).to_have_count(0)
    page.keyboard.press("Enter")
    expect(strip).to_be_visible()
    expect(strip.get_by_role("button", name="Assign")).to_be_focused()
    page.keyboard.press("Enter")
    # the next row opens, and Undo stays in the row
    expect(page.locator("#item h2")).to_contain_text("Nordvik AS")
    expect(page.locator(".desklist tr.done")).to_contain_text("Assigned to LT")
    assert bank.balance(bank.account) == 127_000 and bank.balance(bank.suspense) == 1_500_000

    # above the amount a second person decides
    page.keyboard.press("o")
    page.get_by_role("searchbox", name="Client’s name").fill(bank.number)
    page.locator("#act").get_by_role("link", name="Mari Ilves").click()
    expect(page.locator("#act")).to_contain_text("Over 10,000.00 EUR: goes to a second person (1 can decide)")
    page.get_by_label("Why, for the second person").fill("Contract names the account")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("R. Kask")
    assert bank.balance(bank.account) == 127_000

    senior = live.sign_in(bank.senior)
    senior.goto(f"{live.url}/transfers/unrecognized")
    opened(senior, "Nordvik AS")
    expect(senior.locator("#item")).to_contain_text("Contract names the account")
    senior.get_by_role("link", name="Approve…").click()
    senior.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(senior.locator("#item")).to_contain_text("Assigned")
    assert bank.balance(bank.account) == 1_627_000 and bank.balance(bank.suspense) == 0

    # undo restores all
    page.goto(f"{live.url}/transfers/unrecognized")
    page.locator(".desklist tr.done", has_text="Jonas").get_by_role("link", name="Undo").click()
    page.get_by_label("Why").fill("Wrong client")
    page.keyboard.press("Enter")
    expect(page.locator("#item")).to_contain_text("Wrong client")
    expect(page.locator("#item .statusline")).to_contain_text("Open")
    assert bank.balance(bank.account) == 1_502_000 and bank.balance(bank.suspense) == 125_000


def test_the_desk_works_without_javascript(live: Live, tmp_path: Path) -> None:
    bank = Bank(live, tmp_path)
    bank.sends(entry("BA-2", "1250.00", "Jonas Petrauskas", "inv 77 mari ilves"))
    page = live.sign_in(bank.officer, java_script_enabled=False)
    page.goto(f"{live.url}/transfers/unrecognized")
    page.locator(".desklist").get_by_role("link", name="Jonas").click()
    page.get_by_role("link", name="Other…").click()
    page.get_by_role("searchbox", name="Client’s name").fill("ilves")
    page.get_by_role("button", name="Search").click()
    page.locator("#act").get_by_role("link", name="Mari Ilves").click()
    page.get_by_role("button", name="Assign", exact=False).last.click()
    expect(page.locator(".desklist tr.done")).to_contain_text("Assigned to LT")
    assert bank.balance(bank.account) == 125_000


@pytest.mark.parametrize("width", [1280, 390])
def test_the_desk_is_accessible_and_never_scrolls_sideways(live: Live, width: int) -> None:
    email = live.staff(Role.OFFICER, "M. Tamm")
    with live.app.app_context():
        book = Book()
        late = received(
            book, 4_820_000, payer="Baltijos Medienos Eksporto ir Logistikos Grupė UAB",
            booked_at=clock.now() - timedelta(days=9),
        )  # fmt: skip
        received(book, 90_000, currency="gbp", text=None, account=None)
    found: dict[str, list[Any]] = {}
    sideways = []
    for scheme in ("light", "dark"):
        page = live.sign_in(email, viewport={"width": width, "height": 844}, color_scheme=scheme)
        desk = "/transfers/unrecognized"
        item, only_light = f"{desk}/{late}", (f"{desk}/{late}/other", f"{desk}?text=nothing", f"{desk}/rules")
        for address in (desk, f"{item}/return", *(only_light if scheme == "light" else ())):
            page.goto(live.url + address)
            if broken := broken_rules(page):
                found[scheme + address] = broken
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                sideways.append(address)
        page.context.close()
    assert not found
    assert not sideways
