"""The worker of the outbox and the inbox: threads that run beside the scheduler, in any number of processes.

The order of everything that leaves: claim (committed), a last look at the transfer (committed), then the call, then
what was said. A process that ends between two of them leaves a lease that runs out.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import simplejson
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.settings import Settings
from dashboard.transfers import inbox
from dashboard.transfers.models import Provider as ProviderRow
from dashboard.transfers.models import Transfer
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.iso20022 import payments as pain
from dashboard.transfers.providers.port import Instruction, Lost, NotSent, Outcome, Report
from dashboard.transfers.providers.registry import connected
from dashboard.transfers.providers.sandbox.client import Sandbox, as_json
from dashboard.transfers.services import providers, sending
from dashboard.transfers.services.outgoing import results, submitting
from dashboard.transfers.services.sending import Claimed, LeftBehind
from dashboard.web.logs import log

#: between two looks when nothing is due
IDLE_SECONDS = 0.3
#: threads that send; each waits for its own provider's answer
SENDERS = 3
#: inboxes are looked at this often
INBOX_SECONDS = 1.0
#: and files that were staged and perhaps not published
FILES_SECONDS = 10.0
ASKED_AT_ONCE = 20
#: what was asked about once is asked about soon again: its end may be lost as well
SOON = timedelta(seconds=15)


#: what spoils one line and not the round; where the database is away, writing down why fails too and ends the round
ONE_LINE = (DomainError, sa.exc.DBAPIError, LookupError, ValueError, TypeError, AssertionError)


class Worker:
    """One per process; its threads share connections to providers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.by: Actor = system("outbox")
        self.ask_after = timedelta(minutes=settings.provider_ask_minutes)
        self._gateways: dict[str, tuple[str, Sandbox | Files]] = {}
        self._lock = threading.Lock()
        self._files_next = 0.0

    def gateway(self, row: ProviderRow) -> Sandbox | Files:
        """Kept until the provider's row says something else."""
        told = f"{row.kind} {sorted(row.settings.items())}"
        with self._lock:
            known = self._gateways.get(row.key)
            if known is None or known[0] != told:
                known = self._gateways[row.key] = (told, connected(row, self.settings))
            return known[1]

    def work_once(self) -> int:
        """One round over the providers with something due; gives how much was done. One that fails does not stop the
        others."""
        with transaction():
            due, files = sending.providers_with_work(), self._files_are_due()
            rows = [
                row
                for row in (providers.all_providers() if due or files else [])
                if row.key in due or (files and row.kind == "files")
            ]
        done = 0
        for row in rows:
            gateway = self.gateway(row)
            for step in (self._recover, self._send, self._ask):
                try:
                    done += step(gateway)
                except DomainError as error:
                    session().rollback()
                    log.error("outbox", provider=row.key, step=step.__name__, error=error.code)
        return done

    def _files_are_due(self) -> bool:
        """Staged files of a worker that ended are looked for now and then."""
        with self._lock:
            due = time.monotonic() >= self._files_next
            if due:
                self._files_next = time.monotonic() + FILES_SECONDS
        return due

    # --- sending -----------------------------------------------------------------------------------------------

    def _send(self, gateway: Sandbox | Files) -> int:
        with transaction():
            claimed = sending.claim(gateway.key, limit=gateway.batch, lease_of=gateway.timing.lease)
        if claimed is None:
            return 0
        instructions = [each
                        for transfer_id in claimed.transfer_ids
                        if (each := self._last_look(gateway.key, transfer_id, claimed))]  # fmt: skip
        with transaction():
            # the looks may have taken long
            renewed = sending.renew(claimed, lease_of=gateway.timing.lease)
        ours = set(renewed.transfer_ids)
        instructions = [each for each in instructions if each.transfer_id in ours]
        if instructions:
            if isinstance(gateway, Files):
                self._publish_all(gateway, instructions, renewed)
            else:
                self._submit(gateway, instructions, renewed)
        return len(claimed.transfer_ids)

    def _last_look(self, provider_key: str, transfer_id: UUID, claimed: Claimed) -> Instruction | None:
        try:
            with transaction():
                if not sending.still_ours(transfer_id, claimed.lease):
                    return None
                found = submitting.about_to_send(transfer_id, by=self.by)
                if found is not None:
                    sending.keep_message(
                        provider_key, direction="out", kind="instruction",
                        body=simplejson.dumps(as_json(found), use_decimal=True, ensure_ascii=False),
                        reference=found.end_to_end_id, transfer_id=transfer_id,
                    )  # fmt: skip
                return found
        except ONE_LINE as error:
            # one that cannot be looked at holds up nobody else: it waits, says why, and comes again by the backoff
            problem = _problem(error)
            with transaction():
                sending.not_looked_at(transfer_id, claimed.lease, error=f"not looked at: {problem}")
            return None

    def _submit(self, gateway: Sandbox, instructions: Sequence[Instruction], claimed: Claimed) -> None:
        left = (claimed.until - clock.now()).total_seconds()
        try:
            if left <= gateway.longest_seconds:
                # it took too long to come here: the call could outlast the lease
                raise NotSent("lease")
            reports = gateway.submit(instructions)
        except NotSent as error:
            self._not_sent(instructions, str(error))
        except Lost as error:
            self._lost(instructions, str(error))
        else:
            self._told(gateway, instructions, reports)

    def _not_sent(self, instructions: Sequence[Instruction], error: str) -> None:
        for each in instructions:
            with transaction():
                submitting.not_sent(each.transfer_id, by=self.by)
                sending.try_again_later(each.transfer_id, error=f"not sent: {error}")
        log.warning("outbox", outcome="not sent", count=len(instructions), error=error)

    def _lost(self, instructions: Sequence[Instruction], error: str) -> None:
        for each in instructions:
            with transaction():
                submitting.lost(each.transfer_id, by=self.by)
                sending.ask_soon(each.transfer_id, error=f"answer lost: {error}")
        log.warning("outbox", outcome="unknown", count=len(instructions), error=error)

    def _told(self, gateway: Sandbox, instructions: Sequence[Instruction], reports: Sequence[Report]) -> None:
        ids = {each.end_to_end_id: each.transfer_id for each in instructions}
        accepted = sorted(
            (each for each in reports if each.outcome is Outcome.ACCEPTED), key=lambda each: ids[each.end_to_end_id]
        )
        others = [each for each in reports if each.outcome is not Outcome.ACCEPTED]
        try:
            # taken in the order of their ids: locks of several transfers at once
            with transaction():
                for each in accepted:
                    results.report(gateway.key, each, by=self.by)
                sending.wait_for_news(
                    [ids[each.end_to_end_id] for each in accepted], ask_after=self._ask_after(gateway)
                )
        except (DomainError, sa.exc.OperationalError):
            others = [*reports]
        for each in others:
            with transaction():
                results.report(gateway.key, each, by=self.by)
                sending.wait_for_news([ids[each.end_to_end_id]], ask_after=self._ask_after(gateway))

    # --- files -------------------------------------------------------------------------------------------------

    def _publish_all(self, gateway: Files, instructions: Sequence[Instruction], claimed: Claimed) -> None:
        batches: dict[tuple[object, ...], list[Instruction]] = defaultdict(list)
        for each in instructions:
            batches[each.currency, each.type.value, each.requested_on].append(each)
        for batch in batches.values():
            try:
                self._publish(gateway, batch, claimed)
            except NotSent as error:
                self._not_sent(batch, str(error))
            except (pain.NotWritable, DomainError) as error:
                if len(batch) == 1:
                    self._not_sent(batch, error.message if isinstance(error, DomainError) else str(error))
                    continue
                # one of them spoils the file: each gets its own
                for each in batch:
                    try:
                        self._publish(gateway, [each], claimed)
                    except (NotSent, pain.NotWritable, DomainError) as alone:
                        self._not_sent([each], str(alone))

    def _publish(self, gateway: Files, batch: list[Instruction], claimed: Claimed) -> None:
        moment = clock.now()
        batch.sort(key=lambda each: each.transfer_id)
        with transaction():
            bank = providers.settlement(gateway.key, batch[0].currency)[1]
            debtor = pain.Debtor(self.settings.institution_name, bank.number, bank.currency, _bic(bank.number))
        made_from = hashlib.sha256("".join(each.end_to_end_id for each in batch).encode() + claimed.lease.bytes)
        identifier = pain.message_id(gateway.key, made_from.hexdigest()[:20].upper())
        content = pain.message(identifier, moment, debtor, batch)
        name = f"{identifier}.xml"
        gateway.stage(name, content)
        ids = [each.transfer_id for each in batch]
        with transaction():
            if not all(sending.still_ours(each, claimed.lease) for each in ids):
                # somebody thought us dead; the staged file is swept away
                return
            file = sending.plan_file(
                gateway.key, name=name, message_id=identifier, format=pain.FORMAT,
                sha256=hashlib.sha256(content).hexdigest(), size=len(content), transfer_ids=ids, lease=claimed.lease,
            )  # fmt: skip
            sending.keep_message(
                gateway.key, direction="out", kind=pain.FORMAT, body=content.decode(), media_type="application/xml",
                reference=identifier, file_id=file.id,
            )  # fmt: skip
        gateway.publish(name)
        self._file_is_out(gateway.key, file.id)

    def _file_is_out(self, key: str, file_id: UUID) -> None:
        with transaction():
            ids = sending.published(file_id)
            found = session().execute(sa.select(Transfer.id, Transfer.end_to_end_id).where(Transfer.id.in_(ids)))
            for _, end_to_end_id in sorted(found):
                results.report(key, Report(end_to_end_id or "", Outcome.ACCEPTED), by=self.by)
            sending.wait_for_news(ids, ask_after=sending.FILES_AGAIN)

    # --- after a worker that ended in the midst of it -------------------------------------------------------------

    def _recover(self, gateway: Sandbox | Files) -> int:
        done = 0
        if isinstance(gateway, Files):
            done += self._recover_files(gateway)
        with transaction():
            found = sending.left_behind(gateway.key)
        for each in found:
            try:
                self._recover_line(gateway, each)
            except ONE_LINE as error:
                problem = _problem(error)
                with transaction():
                    sending.say_why(each.transfer_id, error=f"not taken up: {problem}")
        return done + len(found)

    def _recover_line(self, gateway: Sandbox | Files, line: LeftBehind) -> None:
        with transaction():
            if line.sent_at is None:
                sending.put_back(line.transfer_id)
            elif isinstance(gateway, Files) and line.file_id is None:
                # no file was planned for it, so none was published
                submitting.not_sent(line.transfer_id, by=self.by)
                sending.try_again_later(line.transfer_id, error="not sent: interrupted")
            elif not isinstance(gateway, Files):
                submitting.lost(line.transfer_id, by=self.by)
                sending.ask_soon(line.transfer_id, error="answer lost: interrupted")

    def _recover_files(self, gateway: Files) -> int:
        with transaction():
            planned = [(file.id, file.name) for file in sending.unpublished(gateway.key, older_than=sending.LEASE)]
        for file_id, name in planned:
            # where it is not staged any more it was published, and perhaps fetched
            gateway.publish(name)
            self._file_is_out(gateway.key, file_id)
        oldest = time.time() - 10 * sending.LEASE.total_seconds()
        for path in gateway.staged():
            if path.stat().st_mtime < oldest:
                with transaction():
                    known = sending.file_names(gateway.key)
                if path.name not in known:
                    gateway.unstage(path.name)
        return len(planned)

    # --- asking ------------------------------------------------------------------------------------------------

    def _ask(self, gateway: Sandbox | Files) -> int:
        with transaction():
            due = sending.due_to_ask(gateway.key, limit=ASKED_AT_ONCE)
        for transfer_id in due:
            try:
                self._ask_about(gateway, transfer_id)
            except ONE_LINE as error:
                problem = _problem(error)
                with transaction():
                    sending.ask_again(transfer_id, error=f"not applied: {problem}")
        return len(due)

    def _ask_about(self, gateway: Sandbox | Files, transfer_id: UUID) -> None:
        with transaction():
            end_to_end_id = session().scalar(sa.select(Transfer.end_to_end_id).where(Transfer.id == transfer_id)) or ""
        try:
            told = gateway.ask(end_to_end_id)
        except NotSent as error:
            with transaction():
                sending.ask_again(transfer_id, error=f"asked in vain: {error}")
            return
        with transaction():
            if told is None:
                sending.ask_again(transfer_id, after=sending.FILES_AGAIN)
                return
            line = sending.line_of(transfer_id)
            early = (
                told.outcome is Outcome.NOT_FOUND
                and line is not None
                and line.sent_at is not None
                and clock.now() - line.sent_at < gateway.timing.not_found_after
            )
            if not early:
                results.report(gateway.key, told, by=self.by)
            sending.keep_message(
                gateway.key, direction="in", kind="answer", reference=end_to_end_id, transfer_id=transfer_id,
                body=simplejson.dumps({"endToEndId": told.end_to_end_id, "status": told.outcome.value,
                                       "reference": told.provider_reference, "code": told.code}),
            )  # fmt: skip
            if told.outcome is Outcome.ACCEPTED:
                sending.wait_for_news([transfer_id], ask_after=min(self._ask_after(gateway), SOON))
            else:
                sending.ask_again(transfer_id)

    def _ask_after(self, gateway: Sandbox | Files) -> timedelta:
        return gateway.timing.ask_after or self.ask_after


def _problem(error: Exception) -> str:
    """The code or the type, not the message: it may hold what somebody typed. What was begun is undone."""
    session().rollback()
    found = error.code if isinstance(error, DomainError) else type(error).__name__
    log.error("outbox", step="one line", error=found)
    return found


def _bic(number: str) -> str | None:
    from schwifty import IBAN

    found = IBAN(number, allow_invalid=True)
    return str(found.bic) if found.is_valid and found.bic else None


def _loop(app: Flask, stop: threading.Event, once: Callable[[], int], idle: float, what: str) -> None:
    while not stop.is_set():
        done = 0
        with app.app_context():
            try:
                done = once()
            except sa.exc.SQLAlchemyError as error:
                log.warning(f"{what} waits for the database", error=type(error).__name__)
            except Exception as error:
                # the type, not the message: it may hold what somebody typed
                log.error(f"{what} failed", error=type(error).__name__)
                stop.wait(1.0)
        if not done:
            stop.wait(idle)


def start(app: Flask, stop: threading.Event) -> list[threading.Thread]:
    """The threads of this process, running until `stop`."""
    settings: Settings = app.extensions["countinghouse.settings"]
    worker = Worker(settings)

    def inboxes() -> int:
        return inbox.read_inboxes(settings.instance_path, by=system("inbox"), stop=stop)

    threads = [
        threading.Thread(target=_loop, args=(app, stop, worker.work_once, IDLE_SECONDS, "outbox"), daemon=True)
        for _ in range(SENDERS)
    ]
    threads.append(threading.Thread(target=_loop, args=(app, stop, inboxes, INBOX_SECONDS, "inbox"), daemon=True))
    for thread in threads:
        thread.start()
    return threads
