"""Making an export in the background: the list's own view is called again, and what it would export is written.

The rows are of one snapshot and are read with the rights of the moment of asking. A file is whole under its name or is
not there: work that was cut off begins again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import current_app, g, request

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.guard import access_of
from dashboard.background.kinds import Kind
from dashboard.background.runner import Canceled, Run, Stopping
from dashboard.background.services import LeaseLost
from dashboard.database import one_snapshot, transaction
from dashboard.errors import DomainError, Refused
from dashboard.exports import services, store
from dashboard.exports.models import ListExport
from dashboard.web.exports import Described, Row, TooManyRows, describing

#: progress is told at most this often, and whether somebody asked to cancel is looked for as often
TELL_SECONDS = 0.5
#: rows between two looks at the clock
STEP = 200
#: a statement of a large list: sorting a million rows takes longer than a page may
STATEMENT_SECONDS = 15 * 60


@contextmanager
def _described(export: ListExport, actor: Actor) -> Iterator[Described]:
    """What the list's view would export to this person, read within one snapshot. Raises Refused, Forbidden."""
    as_of = clock.now()
    with (
        current_app.test_request_context(export.address),
        one_snapshot(statement_seconds=STATEMENT_SECONDS),
        describing() as found,
    ):
        # the context of the application, and with it `g`, may be shared with what is around
        before, g.actor = g.get("actor"), actor
        try:
            endpoint = request.endpoint or ""
            access = access_of(current_app._get_current_object(), endpoint)  # type: ignore[attr-defined]
            if endpoint != export.endpoint or access is None or access.permission is None:
                raise Refused("The address of this list has changed since. Export the list again.")
            actor.require(access.permission)
            current_app.view_functions[endpoint](**(request.view_args or {}))
            if len(found) != 1:
                raise Refused("The list can no longer be read with this filter. Export the list again.")
            about = found[0].listing.about
            seen = replace(found[0].listing, about=replace(about, as_of=min(as_of, about.as_of)))
            yield found[0]._replace(listing=seen)
        finally:
            g.actor = before


class _Teller:
    """Tells how far the work is, beside its transaction, and lets it be stopped."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.total: int | None = None
        self.last = 0.0

    def say(self, phase: str, done: int) -> None:
        """Raises LeaseLost, Canceled, Stopping."""
        self.last = time.monotonic()
        self.run.say(done=done, total=self.total, checkpoint={"phase": phase})

    def watched(self, phase: str, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, with a word about them from time to time. Raises LeaseLost, Canceled, Stopping."""
        for count, row in enumerate(rows, start=1):
            yield row
            if count % STEP == 0 and time.monotonic() - self.last > TELL_SECONDS:
                self.say(phase, count)


def _counted(teller: _Teller, wanted: Described, limit: int) -> int:
    """How many rows the snapshot has. Raises TooManyRows before anything is written."""
    count = wanted.expected
    if count is None:
        count = 0
        for _ in teller.watched("counting", wanted.rows()):
            count += 1
            if count > limit:
                break
    if count > limit:
        raise TooManyRows("XLSX", limit)
    return count


def _figures(export: ListExport) -> dict[str, Any]:
    return {"rows": export.rows, "bytes": export.bytes}


def make(run: Run) -> dict[str, Any]:
    """Write the file, bring it to the disk, and say that it is there."""
    # openpyxl takes a moment to load: only who writes a workbook needs it
    from dashboard.web.exports import xlsx_file

    with transaction():
        export = services.asked(UUID(str(run.arguments["export"])))
    if export.file is not None:
        # an earlier runner was lost after its last step
        return _figures(export)
    teller = _Teller(run)
    with store.writing() as written:
        with _described(export, services.frozen(export, name=run.by.name)) as wanted:
            teller.say("counting", 0)
            teller.total = _counted(teller, wanted, xlsx_file.MOST_ROWS)
            teller.say("writing", 0)
            rows = teller.watched("writing", wanted.rows())
            count = xlsx_file.write(wanted.listing, rows, written.file, folder=store.parts())
            as_of = wanted.listing.about.as_of
        teller.say("packing", count)
        name, size = written.keep()
        try:
            with transaction():
                services.finish(export.id, file=name, size=size, rows=count, as_of=as_of, by=run.by)
                run.keep(done=count, total=count)
        except (LeaseLost, Canceled, Stopping, DomainError):
            # of anything else it is not known whether it was committed: the sweep knows later
            store.remove(name)
            raise
        with transaction():
            return _figures(services.asked(export.id))


KINDS = (Kind(key=services.WORK, label="Export as XLSX", run=make, stopped=services.stopped, apart=True),)
