"""Opening balances from a file: the upload, what waits, what was posted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.ledger.forms.opening import DropForm, UploadForm
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.ledger.queries import opening as queries
from dashboard.ledger.queries.opening import ImportView, RowView
from dashboard.ledger.services import opening as services
from dashboard.ledger.services.opening import FileRefused
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType
from dashboard.money import Money
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

#: colour role and word of what became of a file
STATES = {
    "waiting": ("wait", "Waiting for approval"),
    "posted": ("ok", "Posted"),
    "dropped": ("neutral", "Dropped"),
    "rejected": ("stop", "Rejected"),
    "withdrawn": ("neutral", "Withdrawn"),
    "expired": ("neutral", "Expired"),
    "stale": ("unknown", "Stale"),
}
_COLUMNS = {"accountNumber": "Account number", "currency": "Currency", "amount": "Amount", "row": "Row"}


@ledger.get("/opening-balances")
@requires(Permission.LEDGER_READ)
def opening_balances() -> Response:
    """Files, newest first, under the upload."""
    return _listing(UploadForm())


def _listing(form: UploadForm, status: int = 200, refused: FileRefused | None = None) -> Response:
    bound = ["opening-balances"]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.imports(
        limit=DEFAULT_PAGE_SIZE + 1, before=None if backwards else edge, after=edge if backwards else None
    )
    shown, newer, older = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.id)], bound=bound
    )

    def at(cursor: str | None) -> str | None:
        return url_for("ledger.opening_balances", cursor=cursor) if cursor else None

    actor = current_actor()
    return make_response(
        render_template(
            "ledger/opening.html",
            form=form,
            refused=refused,
            column=lambda name: _COLUMNS[name],
            money=Money,
            imports=shown,
            states=STATES,
            newer=at(newer),
            older=at(older),
            paged=position is not None,
            reader=actor.id,
            may_operate=actor.may(Permission.LEDGER_OPERATE),
            who=who_can_decide(services.KIND, maker=actor) if actor.may(Permission.LEDGER_OPERATE) else "",
        ),
        status,
    )


FILES = (
    Column("file", "File", share=1.6),
    Column("uploaded", "Uploaded", Kind.MOMENT),
    Column("by", "By"),
    Column("currency", "Currency", share=0.4),
    Column("accounts", "Accounts", Kind.NUMBER),
    Column("total", "Total", Kind.AMOUNT),
    Column("state", "State"),
    Column("decider", "Decided by"),
    Column("closed", "Closed", Kind.MOMENT),
    Column("sha256", "SHA-256", share=2),
    Column("id", "Identifier", share=1.4),
)
ROWS = (
    Column("line", "Line", Kind.NUMBER),
    Column("account", "Account"),
    Column("owner", "Owner", share=1.4),
    Column("type", "Type"),
    Column("amount", "Opening balance", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
)
#: files or rows that an export reads at once
PART = 500


@ledger.get("/opening-balances/export/<form>")
@downloads()
@requires(Permission.LEDGER_READ)
def openings_export(form: str) -> Response:
    """All files, newest first, a row for each currency of a file."""
    chosen_format = Format.of_a_list(form)

    def older(last: ImportView | None) -> list[ImportView]:
        return queries.imports(before=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            for view in part:
                for owed in view.owed:
                    yield {
                        "file": view.file_name,
                        "uploaded": view.created_at,
                        "by": view.created_by,
                        "currency": owed.currency.upper(),
                        "accounts": view.accounts[owed.currency],
                        "total": owed,
                        "state": STATES[view.standing][1],
                        "decider": view.decider,
                        "closed": view.closed_at,
                        "sha256": view.sha256,
                        "id": view.id,
                    }

    about = exports.about("Opening balances", by=current_actor().name)
    return exports.answer(Listing(about, FILES), rows, chosen_format)


@ledger.get("/opening-balances/<uuid:import_id>/export/<form>")
@downloads()
@requires(Permission.LEDGER_READ)
def opening_export(import_id: UUID, form: str) -> Response:
    """All rows of a file, in its order."""
    chosen_format, view = Format.of_a_list(form), queries.one(import_id)

    def later(last: RowView | None) -> list[RowView]:
        return queries.rows(import_id, after=last.line if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(later):
            for row in part:
                yield {
                    "line": row.line,
                    "account": row.number,
                    "owner": row.name,
                    "type": ACCOUNT_TYPE_LABELS[AccountType(row.account_type)],
                    "amount": row.money,
                    "currency": row.money.currency.upper(),
                }

    facts = [("File", view.file_name), ("SHA-256", view.sha256), ("State", STATES[view.standing][1])]
    about = exports.about("Opening balances, rows", by=current_actor().name, facts=facts)
    return exports.answer(Listing(about, ROWS), rows, chosen_format, expected=view.rows)


@ledger.post("/opening-balances")
@requires(Permission.LEDGER_OPERATE)
def upload_opening_balances() -> Any:
    """Read a file and ask for a second person."""
    form = UploadForm()
    if not form.validate():
        return _listing(form, 422)
    try:
        with transaction():
            imported = services.ask(
                form.file.data.read(),
                file_name=form.file.data.filename or "",
                reason=form.reason.data or "",
                by=current_actor(),
            )
    except FileRefused as refusal:
        if not refusal.rows and not refusal.sums:
            form.file.errors = [refusal.message]
        return _listing(form, 422, refusal)
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return _listing(form, 422 if isinstance(refusal, Invalid) else refusal.status)
    flash(f"{imported.file_name} is read and ties out. Another person decides; nothing is posted yet.", "wait")
    return go(url_for("ledger.opening_balance", import_id=imported.id))


@ledger.get("/opening-balances/<uuid:import_id>")
@requires(Permission.LEDGER_READ)
def opening_balance(import_id: UUID) -> str:
    """One file: what it adds up to, who asked and who decided, its rows."""
    view = queries.one(import_id)
    bound = ["opening-rows", str(import_id)]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = int(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.rows(
        import_id, limit=DEFAULT_PAGE_SIZE + 1, before=edge if backwards else None, after=None if backwards else edge
    )
    shown, before, after = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [row.line], bound=bound)

    def at(cursor: str | None) -> str | None:
        return url_for("ledger.opening_balance", import_id=import_id, cursor=cursor) if cursor else None

    actor = current_actor()
    return render_template(
        "ledger/opening_file.html",
        view=view,
        state=STATES[view.standing],
        rows=shown,
        labels=ACCOUNT_TYPE_LABELS,
        in_groups=numbers.in_groups,
        earlier=at(before),
        later=at(after),
        mine=actor.id is not None and view.maker_id == actor.id,
        may_operate=actor.may(Permission.LEDGER_OPERATE),
        may_decide=actor.may(Permission.APPROVALS_READ),
    )


@ledger.route("/opening-balances/<uuid:import_id>/drop", methods=["GET", "POST"])
@requires(Permission.LEDGER_OPERATE)
def drop_opening_balance(import_id: UUID) -> Any:
    """The maker takes the file back."""
    view = queries.one(import_id)
    form = DropForm()
    status = 200
    if request.method == "POST" and form.validate():
        try:
            with transaction():
                services.drop(import_id, by=current_actor())
        except (Conflict, Refused) as refusal:
            show_errors(form, refusal)
            status = refusal.status
        else:
            flash(f"{view.file_name} is dropped. Nothing of it was posted.", "ok")
            return go(url_for("ledger.opening_balances"))
    return page_or_fragment(
        "ledger/opening_dialog.html", "ledger/_opening_drop.html", status=status, view=view, form=form
    )
