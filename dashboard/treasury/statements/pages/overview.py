"""How each bank account stands on a day, and the files that came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.ledger.queries import days
from dashboard.money import Money
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import queries
from dashboard.treasury.statements.forms import ACCEPTED, UploadForm
from dashboard.treasury.statements.pages import words
from dashboard.treasury.statements.pages.blueprint import statements
from dashboard.treasury.statements.services import mappings
from dashboard.views.lists import choices, downloads, listed
from dashboard.web.exports import Column, Format, Kind, Listing, about, answer
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal


@statements.get("")
@listed(
    "statement-files", "Statement files", keeps=("state",),
    reads=choices(state={key: word for key, (_, word) in words.STATES.items()}),
)  # fmt: skip
@requires(Permission.TREASURY_READ)
def listing() -> Response:
    """States of a day on top, then the upload, then files, newest first."""
    return page()


def asked_day() -> tuple[date, str | None]:
    """The day of the address, or the last closed one; and what is wrong with the address."""
    closed = days.closed(limit=1)
    usual = closed[0].day if closed else clock.calendar().today()
    said = request.args.get("day", "").strip()
    try:
        return (date.fromisoformat(said), None) if said else (usual, None)
    except ValueError:
        return usual, "This is no date; write it as 2026-03-12."


def page(form: UploadForm | None = None, *, status: int = 200, imported: Any = None) -> Response:
    """The page, also as the answer to an upload that was refused."""
    actor = current_actor()
    day, day_error = asked_day()
    chosen = request.args.get("state", "")
    state = chosen if chosen in words.STATES else None
    bound = ["statement-imports", state]
    context: dict[str, Any] = {"rows": [], "earlier": None, "later": None, "cursor_problem": False}
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        context["cursor_problem"], status = True, 400
    else:
        edge = UUID(position.key[0]) if position else None
        backwards = position is not None and position.backwards
        found = queries.imports(
            state=state, before=None if backwards else edge, after=edge if backwards else None,
            limit=DEFAULT_PAGE_SIZE + 1,
        )  # fmt: skip
        rows, newer, older = neighbours(
            found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.id)], bound=bound
        )

        def at(cursor: str | None) -> str | None:
            return url_for(".listing", state=state, cursor=cursor) if cursor else None

        context |= {"rows": rows, "earlier": at(newer), "later": at(older), "paged": position is not None}
    may_write = actor.may(Permission.TREASURY_WRITE)
    form = upload_form(form) if may_write else None
    return make_response(
        render_template(
            "treasury/statements/listing.html",
            day=day,
            day_error=day_error,
            accounts=queries.states(day),
            words=words,
            money=Money,
            form=form,
            accepted=ACCEPTED,
            imported=imported,
            state=state,
            may_write=may_write,
            reader=actor.id,
            named=named,
            **context,
        ),
        422 if day_error and status == 200 else status,
    )


_FILES = (
    Column("file_name", "File", share=2),
    Column("created_at", "Came", Kind.MOMENT),
    Column("created_by", "By"),
    Column("source", "Source", share=0.6),
    Column("format", "Format", share=0.6),
    Column("statements", "Statements", Kind.NUMBER, 0.5),
    Column("entries", "Entries", Kind.NUMBER, 0.5),
    Column("repeated", "Told before", Kind.NUMBER, 0.5),
    Column("refused", "Refused", Kind.NUMBER, 0.5),
    Column("state", "State", share=0.6),
    Column("reason", "Why it failed", share=2),
)


@statements.get("/files.<form>")
@downloads("statement-files")
@requires(Permission.TREASURY_READ)
def export_files(form: str) -> Response:
    """The list of files as it is filtered."""
    chosen = request.args.get("state", "")
    state = chosen if chosen in words.STATES else None
    filters = [("State", words.STATES[state][1])] if state else []
    listing = Listing(about("Statement files", filters=filters, by=current_actor().name), _FILES)

    def rows() -> Iterable[dict[str, Any]]:
        for row in queries.all_imports(state=state):
            yield {column.key: getattr(row, column.key) for column in _FILES}

    return answer(listing, rows, Format.named(form))


def upload_form(form: UploadForm | None = None) -> UploadForm:
    """With the bank accounts whose CSV files can be read."""
    form = form or UploadForm()
    known = mappings.mapped()
    accounts = [view for view in register.accounts() if view.id in known]
    form.account.choices = [("", "no CSV file"), *((str(view.id), view.said) for view in accounts)]
    return form
