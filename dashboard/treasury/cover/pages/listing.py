"""Covers: the list, the same as a file, and one of them with the history of its changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.money import Money
from dashboard.treasury.cover import queries
from dashboard.treasury.cover.forms import ChangeForm
from dashboard.treasury.cover.models import Cover
from dashboard.treasury.cover.services import entries
from dashboard.treasury.cover.vocabulary import ADD, CHANGE, KIND_LABELS, CoverKind
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.vocabulary import POOL_LABELS, Pool
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row

COLUMNS = (
    Column("pool", "Pool", share=0.7),
    Column("currency", "Currency", share=0.5),
    Column("kind", "Kind"),
    Column("issuer", "Issuer", share=1.3),
    Column("reference", "Reference", share=1.3),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("valid_from", "Valid from", Kind.DATE),
    Column("valid_to", "Valid to", Kind.DATE),
    Column("review_on", "Review on", Kind.DATE),
    Column("state", "State", share=0.7),
    Column("version", "Version", Kind.NUMBER),
)


def state_of(row: Cover) -> tuple[str, str]:
    """Role and word of the state that a list shows, as of today."""
    today = clock.calendar().today()
    if row.valid_to is not None and row.valid_to < today:
        return "neutral", "Expired"
    if row.valid_from > today:
        return "info", "Begins later"
    return ("wait", "Review due") if row.review_on <= today else ("ok", "Counts")


def one_page(row: Cover, form: ChangeForm, *, status: int = 200) -> Response:
    """A cover with its history, and the form to change it."""
    changes = queries.history(row.id)
    turns = []
    for change, older in zip(changes, [*changes[1:], None], strict=False):
        before = entries.standing(older.version) if older else None
        turns.append((change, entries.difference(before, entries.standing(change.version))))
    actor = current_actor()
    page = render_template(
        "treasury/cover/cover.html", row=row, said=entries.in_words(entries.standing(row)), state=state_of(row),
        turns=turns, form=form, waiting=register.waiting(CHANGE).get(row.id),
        may_write=actor.may(Permission.TREASURY_WRITE), may_see_requests=actor.may(Permission.APPROVALS_READ),
    )  # fmt: skip
    return make_response(page, status)


@treasury_register.get("/cover")
@requires(Permission.TREASURY_READ)
def covers() -> str:
    """Every cover, expired ones too."""
    actor = current_actor()
    return render_template(
        "treasury/cover/covers.html",
        rows=queries.every(),
        kinds=KIND_LABELS,
        pools=POOL_LABELS,
        state_of=state_of,
        figure=lambda row: str(Money(row.amount_minor, row.currency)),
        waiting=list(register.waiting(ADD).values()),
        changing=register.waiting(CHANGE),
        may_write=actor.may(Permission.TREASURY_WRITE),
        may_see_requests=actor.may(Permission.APPROVALS_READ),
    )


@treasury_register.get("/cover/export.<form>")
@downloads()
@requires(Permission.TREASURY_READ)
def covers_export(form: str) -> Any:
    """The same list as a file."""
    shown = queries.every()

    def rows() -> Iterator[Row]:
        for row in shown:
            yield {
                "pool": POOL_LABELS[Pool(row.pool)], "currency": row.currency.upper(),
                "kind": KIND_LABELS[CoverKind(row.kind)], "issuer": row.issuer, "reference": row.reference,
                "amount": Money(row.amount_minor, row.currency), "valid_from": row.valid_from,
                "valid_to": row.valid_to, "review_on": row.review_on, "state": state_of(row)[1],
                "version": row.version,
            }  # fmt: skip

    about = exports.about("Other safeguarded", filters=[], by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), rows, Format.named(form), expected=len(shown))


@treasury_register.get("/cover/<uuid:cover_id>")
@requires(Permission.TREASURY_READ)
def cover(cover_id: UUID) -> Response:
    """One cover: what it is, what waits, what changed and by whom."""
    row = queries.one(cover_id)
    form = ChangeForm(formdata=None)
    form.valid_to.data, form.review_on.data = row.valid_to, row.review_on
    return one_page(row, form)
