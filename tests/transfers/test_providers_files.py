"""A bank that takes and gives files: each file leaves once and is read once, whatever ends in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import current_app

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import new_id, session, transaction
from dashboard.errors import Refused
from dashboard.ledger.services import accounts
from dashboard.settings import Settings
from dashboard.transfers import inbox
from dashboard.transfers.models import IncomingRequest, ProviderFile, Submission, Transfer
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.port import Instruction, Outcome, Report
from dashboard.transfers.services import files, providers
from dashboard.transfers.services.outgoing import results, submitting
from dashboard.transfers.worker import Worker
from tests.conftest import Databases, open_session
from tests.transfers.sending import Sending, sending
from tests.transfers.test_iso20022 import camt_file, detail, entry

NORTH = "LT121000011101001000"
BY = system("test")


@pytest.fixture(scope="module")
def house(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured) as made:
        with transaction():
            providers.set_active("sandbox", False, by=BY)
            providers.register_provider(key="north", name="North", kind="files", by=BY)
            accounts.register_bank_account(provider="north", name="North", number=NORTH, currency="eur", by=BY)
        yield made


@pytest.fixture
def settings(house: Sending) -> Settings:
    session().rollback()
    found: Settings = current_app.extensions["countinghouse.settings"]
    return found


@pytest.fixture
def worker(settings: Settings) -> Worker:
    return Worker(settings)


def outbox(settings: Settings) -> list[Path]:
    folder = settings.instance_path / "outbox" / "north"
    return sorted(folder.glob("*.xml")) if folder.exists() else []


def emptied(settings: Settings) -> None:
    """The bank fetches its files."""
    for path in outbox(settings):
        path.unlink()


def again(transfer: Transfer) -> Transfer:
    session().rollback()
    return session().get_one(Transfer, transfer.id, populate_existing=True)


def given(settings: Settings, content: str | bytes, name: str = "bank.xml") -> None:
    folder = settings.instance_path / "inbox" / "north"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (1, 1))


def read(settings: Settings) -> ProviderFile:
    assert inbox.read_inboxes(settings.instance_path, by=BY) == 1
    session().rollback()
    found = session().scalar(
        sa.select(ProviderFile).where(ProviderFile.direction == "in").order_by(ProviderFile.id.desc()).limit(1)
    )
    assert found is not None
    return found


def statuses_of(*said: tuple[str, str]) -> str:
    lines = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{one}</OrgnlEndToEndId><TxSts>{status}</TxSts></TxInfAndSts>"
        for one, status in said
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>'
        f"<OrgnlMsgId>X</OrgnlMsgId></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>{lines}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    )


def test_transfers_leave_in_one_file_and_the_banks_status_ends_them(
    house: Sending, settings: Settings, worker: Worker
) -> None:
    emptied(settings)
    good, bad = house.confirmed(21_00), house.confirmed(22_00)
    worker.work_once()
    [path] = outbox(settings)
    assert good.end_to_end_id and bad.end_to_end_id
    assert good.end_to_end_id in path.read_text() and bad.end_to_end_id in path.read_text()
    assert (again(good).status, session().get_one(Submission, good.id).state) == ("submitted", "sent")
    worker.work_once()
    assert outbox(settings) == [path]
    given(settings, statuses_of((good.end_to_end_id, "ACSC"), (bad.end_to_end_id, "RJCT"), ("NOT-OURS", "ACSC")))
    file = read(settings)
    assert (file.state, file.format, file.entries, file.failures["count"]) == ("done", "pain.002", 3, 1)
    assert (again(good).status, again(bad).status) == ("completed", "rejected")


def test_a_status_of_the_whole_file_counts_for_each_transfer(
    house: Sending, settings: Settings, worker: Worker
) -> None:
    emptied(settings)
    transfer = house.confirmed(31_00)
    worker.work_once()
    name = outbox(settings)[0].stem
    given(
        settings,
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>'
        f"<OrgnlMsgId>{name}</OrgnlMsgId><GrpSts>RJCT</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>",
    )
    assert read(settings).state == "done"
    assert again(transfer).status == "rejected"


@pytest.mark.parametrize("after", [False, True], ids=["before the file is out", "after it is out and fetched"])
def test_a_worker_that_ends_while_publishing_gives_the_file_once(
    house: Sending, settings: Settings, worker: Worker, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    emptied(settings)
    transfer = house.confirmed(41_00 + after)
    publish: Callable[[Files, str], bool] = Files.publish

    def killed(gateway: Files, name: str) -> bool:
        if after:
            publish(gateway, name)
        raise KeyboardInterrupt

    monkeypatch.setattr(Files, "publish", killed)
    with pytest.raises(KeyboardInterrupt):
        worker.work_once()
    monkeypatch.undo()
    assert len(outbox(settings)) == after
    emptied(settings)
    session().rollback()
    with transaction():
        early = clock.now() - timedelta(minutes=5)
        session().execute(sa.update(ProviderFile).where(ProviderFile.state == "reading").values(created_at=early))
        session().execute(
            sa.update(Submission).where(Submission.state == "sending").values(lease_until=early, next_at=early)
        )
    worker.work_once()
    assert len(outbox(settings)) == (0 if after else 1)
    assert (again(transfer).status, session().get_one(Submission, transfer.id).state) == ("submitted", "sent")


def test_a_line_that_was_claimed_and_never_looked_at_waits_again(
    house: Sending, settings: Settings, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(settings)
    transfer = house.confirmed(51_00)
    monkeypatch.setattr(Worker, "_last_look", lambda *_: None)
    worker.work_once()
    monkeypatch.undo()
    session().rollback()
    with transaction():
        early = clock.now() - timedelta(minutes=5)
        run_out = sa.update(Submission).where(Submission.state == "sending").values(lease_until=early, next_at=early)
        session().execute(run_out)
    worker.work_once()
    assert again(transfer).status == "submitted"
    assert len(outbox(settings)) == 1


def test_a_credit_of_a_file_is_on_the_clients_account_and_the_file_is_read_once(
    house: Sending, settings: Settings, tmp_path: Path
) -> None:
    details = detail("12.00").replace("<Othr><Id>12-34-56 789</Id></Othr>", f"<IBAN>{house.account.number}</IBAN>")
    content = camt_file(tmp_path, entry("12.00", ref="N-1", details=details)).read_bytes()
    given(settings, content)
    file = read(settings)
    assert (file.state, file.format, file.entries, file.failures) == ("done", "camt.054", 1, {})
    assert inbox.place_of(settings.instance_path, file).exists()
    [request] = session().scalars(sa.select(IncomingRequest).where(IncomingRequest.provider_reference == "N-1"))
    assert request.transfer_id is not None
    assert session().get_one(Transfer, request.transfer_id).account_id == house.account.id
    given(settings, content, name="again.xml")
    second = read(settings)
    assert (second.state, second.reason) == ("failed", "The same content was read before, as bank.xml.")


def test_files_that_are_not_complete_wait_and_hostile_ones_fail_with_a_reason(
    house: Sending, settings: Settings
) -> None:
    given(settings, "<half", name="coming.xml.part")
    assert inbox.read_inboxes(settings.instance_path, by=BY) == 0
    given(settings, '<!DOCTYPE a SYSTEM "file:///etc/passwd"><Document/>', name="hostile.xml")
    file = read(settings)
    assert (file.state, file.reason) == ("failed", "A document type is not allowed.")
    said = inbox.place_of(settings.instance_path, file)
    assert Path(f"{said}.reason.txt").read_text().strip() == file.reason


def test_a_failed_file_is_read_again_and_takes_nothing_twice(
    house: Sending, settings: Settings, tmp_path: Path
) -> None:
    south = "DE75512108001245126199"
    content = camt_file(tmp_path, entry("13.00", ref="S-1", details=detail("13.00")), account=south).read_bytes()
    given(settings, content, name="south.xml")
    file = read(settings)
    assert (file.state, file.failures["count"]) == ("failed", 1)
    browser = open_session(current_app._get_current_object(), house_member(Role.TREASURER))  # type: ignore[attr-defined]
    page = browser.get("/transfers/providers/north/files?view=failed").get_data(as_text=True)
    assert "no bank account of the house" in page
    with transaction():
        accounts.register_bank_account(provider="north", name="South", number=south, currency="eur", by=BY)
    assert browser.post(f"/transfers/providers/north/files/{file.id}/retry").status_code == 303
    mended = read(settings)
    assert (mended.id, mended.state, mended.failures) == (file.id, "done", {})
    with transaction(), pytest.raises(Exception, match="Nothing of this file failed"):
        files.ask_to_retry(file.id, by=BY)
    assert "North" in browser.get("/transfers/providers").get_data(as_text=True)


def house_member(role: Role):  # type: ignore[no-untyped-def]
    from tests.conftest import People

    return People().member(role, "Files Reader")


def test_a_line_whose_last_look_fails_waits_and_says_why_while_others_go(
    house: Sending, settings: Settings, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(settings)
    spoiled, good = house.confirmed(31_00), house.confirmed(32_00)
    look = submitting.about_to_send

    def failing(transfer_id: UUID, *, by: Actor) -> Instruction | None:
        if transfer_id == spoiled.id:
            session().execute(sa.text("SELECT 1 / 0"))
        return look(transfer_id, by=by)

    monkeypatch.setattr(submitting, "about_to_send", failing)
    worker.work_once()
    [path] = outbox(settings)
    assert good.end_to_end_id and good.end_to_end_id in path.read_text()
    assert again(spoiled).status == "confirmed"
    line = session().get_one(Submission, spoiled.id)
    assert (line.state, line.lease, line.sent_at, line.attempts) == ("waiting", None, None, 1)
    assert line.last_error == "not looked at: DataError"
    assert line.next_at > clock.now(), "not at once, and not only when a lease runs out"
    assert worker.work_once() == 0
    # each try waits longer; when it can be looked at, it goes
    monkeypatch.undo()
    with transaction():
        session().get_one(Submission, spoiled.id).next_at = clock.now()
    worker.work_once()
    assert again(spoiled).status == "submitted"
    line = session().get_one(Submission, spoiled.id, populate_existing=True)
    assert (line.state, line.last_error) == ("sent", None)


def test_an_answer_that_cannot_be_applied_says_so_and_holds_up_no_other(
    house: Sending, settings: Settings, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(settings)
    first, second = sorted((house.confirmed(33_00), house.confirmed(34_00)), key=lambda each: each.id)
    worker.work_once()
    with transaction():
        for each in (first, second):
            session().get_one(Submission, each.id).next_at = clock.now()
    monkeypatch.setattr(
        Files, "ask", lambda _self, end_to_end_id: Report(end_to_end_id, Outcome.EXECUTED, "B-1"), raising=True
    )
    post = results.executed

    def failing(transfer: Transfer, **said: Any) -> None:
        if transfer.id == first.id:
            raise Refused("The ledger does not.", code="ledgerSaysNo")
        post(transfer, **said)

    monkeypatch.setattr(results, "executed", failing)
    worker.work_once()
    assert again(first).status == "submitted"
    assert session().get_one(Submission, first.id).last_error == "not applied: ledgerSaysNo"
    assert again(second).status == "completed"


@pytest.mark.parametrize(
    "content", [":20:STARTUMS\r\n:25:DE1/2\r\n", "{1:F01BANK}{2:O940}{4:\n:20:X\n", "ABNANL2A\r\n940\r\n:20:X\r\n"]
)
def test_an_older_statement_fails_and_says_what_to_ask_for(house: Sending, settings: Settings, content: str) -> None:
    given(settings, content, f"{new_id()}.sta")
    file = read(settings)
    assert (file.state, file.entries) == ("failed", 0)
    assert file.reason == "MT940 and MT942 are not read here: ask the bank for camt.053 or camt.054."


def test_a_file_of_another_accounts_entries_says_so_and_books_nothing(
    house: Sending, settings: Settings, tmp_path: Path
) -> None:
    before = session().scalar(sa.select(sa.func.count()).select_from(IncomingRequest))
    path = camt_file(tmp_path, entry("12.00", ref="ELSE-1", details=detail("12.00")), account="LT601010012345678901")
    given(settings, path.read_bytes(), "elsewhere.xml")
    file = read(settings)
    assert file.state == "failed"
    assert file.reason and file.reason.endswith("is no bank account of the house at this provider.")
    assert session().scalar(sa.select(sa.func.count()).select_from(IncomingRequest)) == before
