"""Rates, margins and positions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, current_app, flash, make_response, render_template, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients.queries import by_ids
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.settings import Settings
from dashboard.transfers.forms.exchange import MarginForm, RatesForm
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import exchange as queries
from dashboard.transfers.services.exchange import margins, rates
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: margins that the page shows; the file has all
MOST_MARGINS = 100


@transfers.get("/exchange")
@requires(Permission.TRANSFERS_READ)
def exchange() -> Response:
    """Rates with source and age, the house's positions, margins, the latest exchanges."""
    return _shown(RatesForm(formdata=None))


def _shown(form: RatesForm, status: int = 200) -> Response:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    positions = queries.positions()
    margins_shown = queries.margin_views(MOST_MARGINS + 1)
    together = [position.worth for position in positions if position.worth is not None]
    return make_response(
        render_template(
            "transfers/exchange.html",
            form=form,
            rates=queries.rate_views(),
            positions=positions,
            together=sum(together[1:], together[0]) if together else None,
            unknown=[position.held.currency for position in positions if position.worth is None],
            margins=margins_shown[:MOST_MARGINS],
            more_margins=len(margins_shown) > MOST_MARGINS,
            latest=queries.latest(),
            folder=rates.FOLDER,
            source_of=source_of,
            allowed=settings.fx_rate_business_days,
            today=clock.calendar().today(),
            may_write=current_actor().may(Permission.RATES_WRITE),
        ),
        status,
    )


def source_of(rate: queries.RateView) -> str:
    """Who fixed a rate, in words."""
    return "ECB" if rate.source == "ecb" else rate.source


RATES = (
    Column("currency", "Currency", share=0.5),
    Column("rate", "Rate", Kind.NUMBER),
    Column("before", "Before", Kind.NUMBER),
    Column("source", "Source"),
    Column("as_of", "As of", Kind.MOMENT),
    Column("loaded", "Loaded", Kind.MOMENT),
    Column("state", "State"),
)
POSITIONS = (
    Column("currency", "Currency", share=0.5),
    Column("held", "Position", Kind.AMOUNT),
    Column("worth", "Worth in EUR", Kind.AMOUNT),
    Column("state", "Rate"),
    Column("account", "Account id", share=1.4),
)
MARGINS = (
    Column("of", "Of", share=2),
    Column("points", "Basis points", Kind.NUMBER),
    Column("changed", "Changed", Kind.MOMENT),
    Column("client", "Client id", share=1.4),
)


def _rates() -> Iterator[Row]:
    for rate in queries.rate_views():
        yield {
            "currency": rate.currency.upper(),
            "rate": rate.rate,
            "before": rate.before,
            "source": source_of(rate),
            "as_of": rate.as_of,
            "loaded": rate.loaded_at,
            "state": "Stale" if rate.stale else "Active",
        }


def _positions() -> Iterator[Row]:
    for position in queries.positions():
        yield {
            "currency": position.held.currency.upper(),
            "held": position.held,
            "worth": position.worth,
            "state": "No data" if position.worth is None else "Stale" if position.stale else "Active",
            "account": position.account_id,
        }


def _margins() -> Iterator[Row]:
    for margin in queries.margin_views(None):
        yield {
            "of": margin.name if margin.client_id else "Default",
            "points": margin.basis_points,
            "changed": margin.changed_at,
            "client": margin.client_id,
        }


@transfers.get("/exchange/rates/export/<form>")
@downloads()
@requires(Permission.TRANSFERS_READ)
def export_rates(form: str) -> Response:
    """The newest rate of one euro in each currency."""
    chosen_format = Format.of_a_list(form)
    about = exports.about("Exchange rates of one euro", by=current_actor().name)
    return exports.answer(Listing(about, RATES), _rates, chosen_format)


@transfers.get("/exchange/positions/export/<form>")
@downloads()
@requires(Permission.TRANSFERS_READ)
def export_positions(form: str) -> Response:
    """What the house holds of each currency through exchanges; a worth that is unknown is empty."""
    chosen_format = Format.of_a_list(form)
    about = exports.about("Exchange positions", by=current_actor().name)
    return exports.answer(Listing(about, POSITIONS), _positions, chosen_format)


@transfers.get("/exchange/margins/export/<form>")
@downloads()
@requires(Permission.TRANSFERS_READ)
def export_margins(form: str) -> Response:
    """The default margin and those that were agreed with clients, by name."""
    chosen_format = Format.of_a_list(form)
    about = exports.about("Exchange margins", by=current_actor().name)
    return exports.answer(Listing(about, MARGINS), _margins, chosen_format)


@transfers.post("/exchange/rates")
@requires(Permission.RATES_WRITE)
def upload_rates() -> Any:
    """Take the rates of a file."""
    form = RatesForm()
    if not form.validate():
        return _shown(form, 422)
    try:
        with transaction():
            loaded = rates.load(form.file.data.read(), name=form.file.data.filename or "", by=current_actor())
    except (Invalid, Conflict) as refusal:
        show_errors(form, refusal)
        return _shown(form, 422 if isinstance(refusal, Invalid) else refusal.status)
    if loaded.fresh:
        flash(f"{loaded.fresh:,} rates are loaded; the newest of {loaded.newest:%d %b %Y}.", "ok")
    else:
        flash("Every rate of this file was known already. Nothing was changed.", "info")
    return go(url_for("transfers.exchange"))


def _client_of(text: str | None) -> UUID | None:
    """Raises NotFound for what is no client's id."""
    if not text:
        return None
    try:
        client_id = UUID(text)
    except ValueError:
        raise NotFound("There is no such client.", code="clientNotFound") from None
    if client_id not in by_ids([client_id]):
        raise NotFound("There is no such client.", code="clientNotFound")
    return client_id


@transfers.route("/exchange/margin", methods=["GET", "POST"])
@requires(Permission.RATES_WRITE)
def margin() -> Any:
    """The dialog that changes the default, or what was agreed with a client (`client`: its id)."""
    form = MarginForm()
    client_id = _client_of(form.client_id.data if request.method == "POST" else request.args.get("client"))
    standing = queries.margin_view(client_id)
    name = by_ids([client_id])[client_id].name if client_id else None
    status = 200
    if request.method == "GET":
        form.client_id.data = str(client_id) if client_id else None
        form.basis_points.data = standing.basis_points if standing else None
    elif form.validate():
        try:
            with transaction():
                margins.set_margin(client_id, form.basis_points.data, reason=form.reason.data or "", by=current_actor())
        except Invalid as refusal:
            show_errors(form, refusal)
            status = 422
        else:
            flash("The margin is changed. Quotes that stand keep theirs.", "ok")
            return go(url_for("transfers.exchange"))
    else:
        status = 422
    return page_or_fragment(
        "transfers/margin_dialog.html",
        "transfers/_margin.html",
        status=status,
        form=form,
        name=name,
        client_id=client_id,
        standing=standing,
    )
