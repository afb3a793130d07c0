"""Creating a client and editing its profile."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services, story
from dashboard.clients.forms.profiles import MOST_PEOPLE, ProfileForm, form_for, leaves
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.vocabulary import ClientType, Risk
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

#: buttons that add an empty part to a repeatable field
ADDERS = {"add_person": "related_individuals", "add_partner": "business_partners"}


def _added(form: ProfileForm) -> str | None:
    """The repeatable field that one of the "Add another" buttons grew; its page comes back with one more part."""
    for button, name in ADDERS.items():
        if button in request.form and name in form:
            if len(form[name]) < MOST_PEOPLE:
                form[name].append_entry()
            return name
    return None


def _form(form: ProfileForm, client: Client | None, *, status: int = 200, **context: Any) -> Response:
    """The page of a form; what is wrong stands beside the fields and, with a link to each, above them."""
    wrong = [(label, field) for label, field in leaves(form) if field.errors]
    page = "clients/edit.html" if client else "clients/new.html"
    return make_response(
        render_template(
            page, form=form, client=client, company=form.kind is ClientType.COMPANY, wrong=wrong, **context
        ),
        status,
    )


@clients.route("/new/<any(individual, company):kind>", methods=["GET", "POST"])
@requires(Permission.CLIENTS_WRITE)
def new(kind: str) -> Any:
    """A new person or company: inactive, whatever is written."""
    form = form_for(kind)
    if request.method == "GET":
        return _form(form, None)
    if added := _added(form):
        return _form(form, None, added=added)
    if not form.validate():
        return _form(form, None, status=422)
    try:
        with transaction():
            client = services.create(form.profile(), by=current_actor())
    except Invalid as refusal:
        show_errors(form, refusal)
        return _form(form, None, status=422)
    flash("Created. It stays inactive until KYC or two people activate it.", "ok")
    return go(url_for("clients.show", client_id=client.id))


@clients.route("/<uuid:client_id>/edit", methods=["GET", "POST"])
@requires(Permission.CLIENTS_WRITE)
def edit(client_id: UUID) -> Any:
    """The profile, whole. A change by somebody else meanwhile is told, and what was typed stays."""
    client = queries.get_with_data(client_id)
    if client.restricted_at is not None:
        raise Refused("Processing is restricted: a request for deletion is open, and the profile is kept as it is.")
    detail = queries.individual_of(client) or queries.company_of(client)
    assert detail is not None  # made together with the client
    people = queries.related_of(client_id)
    form = form_for(client.type, client, detail, people)
    if request.method == "GET":
        return _form(form, client)
    if added := _added(form):
        return _form(form, client, added=added)
    if not form.validate():
        return _form(form, client, status=422)
    # a form without its version could overwrite what nobody has seen
    form.version.data = request.form.get("version", type=int) or 0
    lowers = form.risk_level.data < client.risk_level
    if lowers and not form.risk_reason.data:
        form.risk_reason.errors = ["Say why the risk should be lower. Another person decides."]
        return _form(form, client, status=422)
    profile = form.profile(people, detail)
    try:
        asked = _save(client_id, form, profile)
    except Invalid as refusal:
        show_errors(form, refusal)
        return _form(form, queries.get(client_id), status=422)
    except Conflict as refusal:
        client = queries.get(client_id)
        if refusal.code != "changedMeanwhile":
            show_errors(form, refusal)
            return _form(form, client, status=409)
        return _stale(form, client)
    if asked:
        flash(asked, "wait")
    else:
        flash("Saved.", "ok")
    return go(url_for("clients.show", client_id=client_id))


def _save(client_id: UUID, form: ProfileForm, profile: Any) -> str | None:
    """Save; a lower risk is asked for instead. Gives the sentence about the request, None without one."""
    actor = current_actor()
    version = form.version.data
    assert version is not None  # set by `edit`
    try:
        with transaction():
            services.update(client_id, profile, by=actor, expected_version=version)
        return None
    except services.LowersRisk as lowers:
        wanted = lowers.risk_level
    form.risk_level.data = None
    unchanged_risk = form.profile(queries.related_of(client_id), _detail(client_id))
    form.risk_level.data = wanted
    with transaction():
        saved = services.update(client_id, unchanged_risk, by=actor, expected_version=version)
        before = Risk(saved.risk_level).label
        changed = saved.version != version
        services.ask_to_lower_risk(client_id, risk_level=wanted, reason=form.risk_reason.data or "", by=actor)
    rest = "Everything else is saved." if changed else "Nothing else was changed."
    return f"The risk is still {before}: lowering it to {Risk(wanted).label} waits for a second person. {rest}"


def _detail(client_id: UUID) -> Any:
    client = queries.get(client_id)
    return queries.individual_of(client) or queries.company_of(client)


def _stale(form: ProfileForm, client: Client) -> Response:
    """409: who changed it and what; saving again now means saving over that."""
    form.version.data, form.version.raw_data = client.version, None
    newest = next(iter(story.timeline(client.id, actor=current_actor(), limit=1)), None)
    return _form(form, client, status=409, stale=newest, stale_client=client)
