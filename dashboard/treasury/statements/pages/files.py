"""One file: read, looked at, committed or discarded, deleted; and what of it could not be taken."""

from __future__ import annotations

from typing import Any, BinaryIO, cast
from uuid import UUID

from flask import Response, flash, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.background import queries as background
from dashboard.background import services as work
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, DomainError, Invalid, Refused
from dashboard.money import Money
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import jobs, queries
from dashboard.treasury.statements.forms import DeleteForm
from dashboard.treasury.statements.models import StatementImport
from dashboard.treasury.statements.pages import words
from dashboard.treasury.statements.pages.blueprint import statements
from dashboard.treasury.statements.pages.overview import page, upload_form
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import deleting, importing
from dashboard.treasury.statements.store import Store
from dashboard.treasury.vocabulary import IMPORT, ImportState
from dashboard.web.api import takes_bodies_of
from dashboard.web.exports import Column, Format, Listing, about, answer
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: bytes of an upload; larger files come through the inbox
LARGEST_UPLOAD = 200 * 1024**2
#: files above this many bytes, and imports above so many entries, are background work
AT_ONCE_BYTES, AT_ONCE_ENTRIES = 2 * 1024**2, 5_000
#: statements of a file that its page shows
MOST_SHOWN = 500


@statements.post("")
@requires(Permission.TREASURY_WRITE)
@takes_bodies_of(LARGEST_UPLOAD)
def upload() -> Any:
    """Keep the file, read it, and show what it holds. Nothing counts yet."""
    form = upload_form()
    if not form.validate():
        return page(form, status=422)
    try:
        account_id = UUID(form.account.data) if form.account.data else None
    except ValueError:
        account_id = None
    import_id, store, name = new_id(), Store(), form.file.data.filename or ""
    path = store.keep(import_id, cast(BinaryIO, form.file.data.stream))
    try:
        with transaction():
            row = importing.begin(
                path, name=name, source="page", by=current_actor(), bank_account_id=account_id, import_id=import_id
            )
            if path.stat().st_size > AT_ONCE_BYTES:
                jobs.ask(row, commit=False, by=current_actor())
                there = True
            else:
                there = False
        if not there:
            jobs.read(import_id, store)
    except Unreadable as reason:
        with transaction():
            known = session().get(StatementImport, import_id)
            failed = importing.fail(import_id, because=str(reason), by=current_actor()) if known else (
                importing.note_failed(path, name=name, source="page", because=str(reason), by=current_actor())
            )  # fmt: skip
            import_id, file_name = failed.id, failed.file_name
        store.lay(path, f"{import_id.hex[-8:]}-{file_name}", failed_because=str(reason))
        form.file.errors = [str(reason)]
        return page(form, status=422)
    except Conflict as refusal:
        store.forget(import_id)
        form.file.errors = [refusal.message]
        return page(form, status=refusal.status, imported=refusal.details.get("importId"))
    except DomainError as refusal:
        store.forget(import_id)
        field = form.account if refusal.code == "noMapping" else form.file
        field.errors = [refusal.message]
        return page(form, status=refusal.status)
    return go(url_for(".file", import_id=import_id))


def _context(import_id: UUID) -> dict[str, Any]:
    row = queries.one_import(import_id)
    job = background.get(row.job_id, kind=IMPORT) if row.job_id else None
    running = job is not None and job.state in background.UNFINISHED
    actor = current_actor()
    shown = queries.statements_of(import_id, limit=MOST_SHOWN)
    mapping = queries.mapping_of(row)
    return {
        "row": row,
        "job": job,
        "running": running,
        "by": "you" if actor.id is not None and row.created_by_id == actor.id else named(
            row.created_by_kind, row.created_by
        ),
        "statements": shown,
        "accounts": {view.id: view for view in register.accounts(include_closed=True)} if shown else {},
        "most_shown": MOST_SHOWN,
        "failures": row.failures.get("rows", [])[:20],
        "mapping": mapping,
        "used": deleting.in_use(import_id) if row.state == ImportState.IMPORTED else 0,
        "words": words,
        "money": Money,
        "may_write": actor.may(Permission.TREASURY_WRITE),
    }  # fmt: skip


@statements.get("/files/<uuid:import_id>")
@requires(Permission.TREASURY_READ)
def file(import_id: UUID) -> str:
    """What a file holds, and what can be done with it."""
    return render_template("treasury/statements/file.html", **_context(import_id))


@statements.get("/files/<uuid:import_id>/progress")
@requires(Permission.TREASURY_READ)
def progress(import_id: UUID) -> Response:
    """The bar of a file that is being read or committed; when that is over the whole page is loaded again."""
    context = _context(import_id)
    response = page_or_fragment("treasury/statements/file.html", "treasury/statements/_progress.html", **context)
    if not context["running"]:
        response.headers["HX-Refresh"] = "true"
    return response


@statements.post("/files/<uuid:import_id>/commit")
@requires(Permission.TREASURY_WRITE)
def commit(import_id: UUID) -> Any:
    """Let it count; large ones in the background."""
    there = go(url_for(".file", import_id=import_id))
    try:
        with transaction():
            row = queries.one_import(import_id)
            if row.state == ImportState.PREVIEW and row.read_at is not None and row.entries > AT_ONCE_ENTRIES:
                jobs.ask(row, commit=True, by=current_actor())
                return there
            row = importing.commit(import_id, by=current_actor())
            name, added = row.file_name, row.entries - row.repeated
        Store().finish(import_id, name)
        flash(f"{name} is imported: {added:,} entries are new.", "ok")
    except (Conflict, Refused) as refusal:
        flash(refusal.message, "stop")
    return there


@statements.post("/files/<uuid:import_id>/discard")
@requires(Permission.TREASURY_WRITE)
def discard(import_id: UUID) -> Any:
    """Take a preview back."""
    try:
        with transaction():
            row = importing.discard(import_id, by=current_actor())
        Store().forget(import_id)
        flash(f"{row.file_name} is discarded. Nothing of it counted.", "ok")
    except Conflict as refusal:
        flash(refusal.message, "stop")
    return go(url_for(".listing"))


@statements.post("/files/<uuid:import_id>/cancel")
@requires(Permission.TREASURY_WRITE)
def cancel(import_id: UUID) -> Any:
    """Stop reading a file."""
    row = queries.one_import(import_id)
    try:
        with transaction():
            if row.job_id is not None:
                work.cancel(row.job_id, kind=IMPORT, by=current_actor())
    except Conflict:
        flash("This had ended already.", "info")
    return go(url_for(".file", import_id=import_id))


@statements.route("/files/<uuid:import_id>/delete", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def delete(import_id: UUID) -> Any:
    """The dialog that takes an import back, and doing so."""
    form, status = DeleteForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    row = deleting.delete(import_id, because=form.reason.data or "", by=current_actor())
                flash(f"{row.file_name} is deleted. What other files told alike counts on.", "ok")
                return go(url_for(".file", import_id=import_id))
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
    return page_or_fragment(
        "treasury/statements/dialog.html", "treasury/statements/_delete.html", status=status, form=form,
        **_context(import_id),
    )  # fmt: skip


_FAILURES = (
    Column("where", "Where"),
    Column("reason", "What is wrong", share=3),
    Column("reference", "Bank reference"),
)


@statements.get("/files/<uuid:import_id>/refused.<form>")
@requires(Permission.TREASURY_READ)
def refused(import_id: UUID, form: str) -> Response:
    """What could not be taken, as a file."""
    row = queries.one_import(import_id)
    rows = list(row.failures.get("rows", []))
    facts = [("File", row.file_name), ("SHA-256", row.sha256)]
    if row.refused > len(rows):
        facts.append(("Shown", f"the first {len(rows):,} of {row.refused:,}"))
    listing = Listing(about("Rows that were refused", facts=facts, by=current_actor().name), _FAILURES)
    return answer(listing, lambda: rows, Format.named(form), name=f"refused {row.file_name}", expected=len(rows))
