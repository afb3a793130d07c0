"""Tokens: the list, one token, making one, its secret that is shown once, revoking."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ALL_SCOPES, ALONE, EXPLAINED, POWERFUL, Audience, Permission
from dashboard.audit import queries as audit
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Invalid
from dashboard.people import queries, words
from dashboard.people.forms import ReasonForm, TokenForm, token_form
from dashboard.people.pages.blueprint import (
    acted,
    at,
    chosen,
    hands_out_power,
    history,
    may_manage,
    people,
    reads,
    takes_power,
    typed,
    waiting,
    who_decides,
)
from dashboard.people.services import machines
from dashboard.views.lists import choices, listed
from dashboard.web.forms import show_errors
from dashboard.web.htmx import dialog, go
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

_STATES = [
    ("", "Any"),
    ("active", "Active"),
    ("waiting", "Secret not taken"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
]


def _scopes(token: ApiToken) -> list[tuple[str, str, bool]]:
    """Label, explanation and whether it is powerful, of every scope; the powerful ones first."""
    known = {scope.value: scope for scope in Permission}
    listed = []
    for name in token.scopes:
        scope = known.get(name)
        label, explanation = words.scope(scope) if scope else (name, "")
        listed.append((label, explanation, scope in POWERFUL))
    return sorted(listed, key=lambda one: (not one[2], one[0]))


@people.get("/staff/tokens")
@listed(
    "tokens", "API tokens", keeps=("audience", "state", "power", "owner"), leaves=("text",),
    reads=choices(
        audience={key: label for key, (label, _) in words.AUDIENCES.items()}, state=dict(_STATES),
        power={"powerful": "Powerful"}, owner={"me": "Me"},
    ),
)  # fmt: skip
@reads
def tokens() -> str:
    """Newest first; text, audience, state, owner and power narrow it."""
    text = typed("text")
    audience = chosen("audience", words.AUDIENCES, "one of the audiences")
    state = chosen("state", queries.TOKEN_STATES, "one of the states")
    power = chosen("power", ("powerful",), "powerful")
    owner = chosen("owner", ("me",), "me")
    listed = (("text", text), ("audience", audience), ("state", state), ("power", power), ("owner", owner))
    values = {key: value for key, value in listed if value}
    bound = ["tokens", sorted(values.items()), str(current_actor().id) if owner else ""]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.tokens(
        text=text, audience=audience, state=state, powerful=bool(power),
        owner_id=current_actor().id if owner else None, after=None if backwards else edge,
        before=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1,
    )  # fmt: skip
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.token.id)], bound=bound
    )
    return render_template(
        "people/tokens.html", rows=shown, values=values, may_manage=may_manage(),
        badges=words.TOKEN_BADGES, state_of=queries.token_state, scopes_of=_scopes, in_words=machines.in_words,
        audiences=[("", "Any"), *((key, label) for key, (label, _) in words.AUDIENCES.items())],
        states=_STATES, powers=[("", "Any"), ("powerful", "Powerful")],
        owners=[("", "Any"), ("me", "Me")], audience_words=words.AUDIENCES,
        requests=waiting(queries.open_requests(machines.CREATE)), prev_url=at("people.tokens", values, before),
        next_url=at("people.tokens", values, after),
    )  # fmt: skip


def _client(text: str | None) -> UUID | None:
    """Raises Invalid."""
    typed_id = (text or "").strip()
    if not typed_id:
        return None
    try:
        return UUID(typed_id)
    except ValueError:
        raise Invalid.one("client", "This is no id of a client. Copy it from the client's page.", "uuid") from None


def _make(audience: Audience, form: TokenForm) -> Any:
    known = {scope.value: scope for scope in Permission}
    with transaction():
        return machines.make(
            audience=audience,
            scopes=frozenset(known[name] for name in form.scopes.data or []),
            name=form.name.data or "",
            client_id=_client(form.client.data) if audience is Audience.FRONTOFFICE else None,
            partner=form.partner.data or "default",
            days=form.days.data or 0,
            reason=form.reason.data or "",
            by=current_actor(),
        )


@people.route("/staff/tokens/new", methods=["GET", "POST"])
@hands_out_power
def new_token() -> Any:
    """Make a token, or ask a second person for it where it may more than its maker; the address has the audience."""
    audience = Audience(chosen("audience", words.AUDIENCES, "one of the audiences") or Audience.SYSTEM)
    form, status = token_form(audience), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                made = _make(audience, form)
            except DomainError as refusal:
                show_errors(form, refusal)
                status = 422 if refusal.status == 400 else refusal.status
            else:
                if isinstance(made, ApiToken):
                    flash(f"The token {made.name} is made. Take its secret now: it is shown once.", "ok")
                    return go(url_for("people.token", token_id=made.id))
                flash(f"Asked for the token {made.subject}. Once it is approved you take its secret here.", "wait")
                return go(url_for("people.tokens"))
    return make_response(
        render_template(
            "people/new_token.html", form=form, audience=audience.value, audiences=words.AUDIENCES,
            scopes=[
                (scope.value, *words.scope(scope), scope not in ALONE)
                for scope in sorted(ALL_SCOPES[audience], key=lambda one: (one in POWERFUL, EXPLAINED[one].label))
            ],
            who_decides=who_decides(machines.CREATE),
        ),
        status,
    )  # fmt: skip


def _shown(row: queries.TokenRow, **secret: Any) -> str:
    token = row.token
    return render_template(
        "people/token.html", token=token, owner=row.owner, may_manage=may_manage(),
        state=queries.token_state(token), badges=words.TOKEN_BADGES, audience=words.AUDIENCES[token.audience],
        scopes=_scopes(token), mine=token.owner_id is not None and token.owner_id == current_actor().id,
        sees_clients=current_actor().may(Permission.CLIENTS_READ),
        events=history(audit.of_object("api_token", token.id, sees_restricted=False)), **secret,
    )  # fmt: skip


@people.get("/staff/tokens/<uuid:token_id>")
@reads
def token(token_id: UUID) -> str:
    """One token; never its secret."""
    return _shown(queries.token(token_id))


@people.post("/staff/tokens/<uuid:token_id>/secret")
@hands_out_power
def take_secret(token_id: UUID) -> Any:
    """Show the secret to the owner, once."""
    try:
        with transaction():
            _, secret = machines.take_secret(token_id, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "wait")
        return go(url_for("people.token", token_id=token_id))
    return _shown(queries.token(token_id), secret=secret)


@people.route("/staff/tokens/<uuid:token_id>/revoke", methods=["GET", "POST"])
@takes_power
def revoke_token(token_id: UUID) -> Any:
    """Refuse it from now on."""
    form, row, back = ReasonForm(), queries.token(token_id), url_for("people.token", token_id=token_id)
    return acted(
        form,
        lambda status: dialog(
            "people/_revoke.html", status=status, form=form,
            token=row.token, owner=row.owner, title=row.token.name, close_url=back,
        ),
        lambda: machines.revoke(token_id, reason=form.reason.data or "", by=current_actor()),
        (f"The token {row.token.name} is refused from now on.", "ok"),
        back,
    )  # fmt: skip
