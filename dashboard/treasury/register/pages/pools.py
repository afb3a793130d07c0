"""Client accounts that belong to another pool than e-money, and the request to move one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.treasury.register import queries, services
from dashboard.treasury.register.forms.entries import PoolForm
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.register.services import pooling
from dashboard.treasury.vocabulary import POOL_LABELS, Pool
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

PAGE_SIZE = 100


def _after() -> UUID | None:
    try:
        return UUID(request.args["after"]) if request.args.get("after") else None
    except ValueError:
        return None


def _page(form: PoolForm, *, status: int = 200) -> Response:
    found = queries.pooled(limit=PAGE_SIZE + 1, after=_after())
    shown = found[:PAGE_SIZE]
    page = render_template(
        "treasury/register/pools.html",
        form=form,
        rows=shown,
        first=url_for("treasury_register.pools") if _after() else None,
        more=url_for("treasury_register.pools", after=shown[-1].account_id) if len(found) > PAGE_SIZE else None,
        pools=POOL_LABELS,
        waiting=list(queries.waiting(pooling.POOL).values()),
        may_write=current_actor().may(Permission.TREASURY_WRITE),
        may_read_ledger=current_actor().may(Permission.LEDGER_READ),
        may_see_requests=current_actor().may(Permission.APPROVALS_READ),
    )
    return make_response(page, status)


@treasury_register.get("/accounts/pools")
@requires(Permission.TREASURY_READ)
def pools() -> Response:
    """The list, and the form for one more."""
    form = PoolForm(formdata=None)
    form.account.data = request.args.get("account", "")[:60] or None
    form.pool.data = Pool.PAYMENT_SERVICES.value
    return _page(form)


COLUMNS = (
    Column("number", "Account", share=1.4),
    Column("currency", "Currency", share=0.4),
    Column("pool", "Pool"),
    Column("since", "Since", Kind.MOMENT),
    Column("maker", "Asked by"),
    Column("decider", "Approved by"),
    Column("id", "Account id", share=1.4),
)


@treasury_register.get("/accounts/pools/export/<form>")
@downloads()
@requires(Permission.TREASURY_READ)
def pools_export(form: str) -> Response:
    """Every client account that people put into a pool."""
    chosen_format = Format.of_a_list(form)

    def following(last: queries.Pooled | None) -> list[queries.Pooled]:
        return queries.pooled(limit=PAGE_SIZE, after=last.account_id if last else None)

    def rows() -> Iterator[Row]:
        for part in parts(following):
            for row in part:
                yield {
                    "number": row.number,
                    "currency": row.currency.upper(),
                    "pool": POOL_LABELS[Pool(row.pool)],
                    "since": row.since,
                    "maker": row.maker_name or "with the installation",
                    "decider": row.decider_name,
                    "id": row.account_id,
                }

    about = exports.about("Client accounts by pool", by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)


@treasury_register.post("/accounts/pools")
@requires(Permission.TREASURY_WRITE)
def ask_pool() -> Any:
    """Ask to move a client account to a pool."""
    form = PoolForm()
    if not form.validate():
        return _page(form, status=422)
    try:
        with transaction():
            account_id = pooling.account_by_number(form.account.data or "")
            asked = services.ask_to_pool(
                account_id, pool=form.pool.data, reason=form.reason.data or "", by=current_actor()
            )
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return _page(form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    flash("Asked to change the pool. Another person decides; nothing has changed yet.", "wait")
    return go(url_for("approvals.show", request_id=asked.id))
