"""Flags: settling one, whose they are, and the list of those that are open."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.badges import severity_badge
from dashboard.clients.flagged import FlagPage, find_open
from dashboard.clients.forms import SettleForm
from dashboard.clients.forms.reviews import OwnerForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.queries import SameDocument
from dashboard.clients.vocabulary import FlagCode, Severity
from dashboard.errors import NotFound
from dashboard.views.lists import choices, listed
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, Position, seal, unseal

WHOSE = {"me": "Mine", "none": "Nobody’s", "any": "All"}


def also_on(found: SameDocument) -> str:
    """Who else holds the same document, in words."""
    name = found.name or "a client without a name"
    if not found.others:
        return f"also on {name}"
    return f"also on {name} and {found.others} {'other' if found.others == 1 else 'others'}"


def _flag_of(client_id: UUID, flag_id: UUID) -> queries.FlagView:
    """Raises NotFound, also for another client's and for one that this reader may not know of."""
    flags = queries.flags_of(client_id, sees_restricted=current_actor().sees_restricted, open_only=False)
    found = next((flag for flag in flags if flag.id == flag_id), None)
    if found is None:
        raise NotFound("There is no such flag.")
    return found


@clients.route("/<uuid:client_id>/flags/<uuid:flag_id>/settle", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def settle_flag(client_id: UUID, flag_id: UUID) -> Any:
    """The dialog, and the settling."""
    client = queries.get(client_id)
    flag = _flag_of(client_id, flag_id)
    form = SettleForm()
    status = 200
    if request.method == "POST":
        refused = attempt(
            form, lambda: services.settle_flag(flag_id, reason=form.reason.data or "", by=current_actor())
        )
        if refused is None:
            flash(f"Settled: {flag.label}.", "ok")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_settle.html",
        title="Settle a flag",
        form=form,
        status=status,
        flag=flag,
        same=queries.same_document(client_id) if flag.code == FlagCode.DUPLICATE_DOCUMENT else None,
        also_on=also_on,
        badge_of_flag=severity_badge(flag.severity),
    )


@clients.route("/<uuid:client_id>/flags/<uuid:flag_id>/owner", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def own_flag(client_id: UUID, flag_id: UUID) -> Any:
    """Take a flag, give it to a colleague, or to nobody again."""
    actor = current_actor()
    flag = _flag_of(client_id, flag_id)
    people = services.reviewers()
    form = OwnerForm()
    form.owner.choices = [
        ("", "Nobody"), *((str(one), "you" if one == actor.id else name) for one, name in people.items())
    ]  # fmt: skip
    status = 200
    if request.method == "POST":
        refused = attempt(
            form,
            lambda: services.own_flag(
                flag_id, owner_id=_as_id(form.owner.data), seen_owner_id=_as_id(form.seen.data), by=actor
            ),
        )
        if refused is None:
            name = people.get(_as_id(form.owner.data)) if form.owner.data else None  # type: ignore[arg-type]
            flash(f"{flag.label}: {'yours' if _as_id(form.owner.data) == actor.id else name or 'nobody’s'} now.", "ok")
            return go(url_for("clients.risk", client_id=client_id))
        status = refused
        form.seen.data = str(flag.flag.owner_id or "")
    else:
        form.seen.data = str(flag.flag.owner_id or "")
        form.owner.data = str(flag.flag.owner_id or actor.id)
    return dialog(
        queries.get(client_id),
        "clients/_owner.html",
        title="Whose flag it is",
        form=form,
        status=status,
        flag=flag,
        badge_of_flag=severity_badge(flag.severity),
        now_owned_by=people.get(flag.flag.owner_id) if flag.flag.owner_id else None,
    )


def _as_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        # nobody has this one: the service refuses it
        return UUID(int=0)


@clients.get("/flags")
@listed(
    "client-flags", "Open flags", keeps=("owner", "severity"), usual={"owner": "me"},
    reads=choices(owner=WHOSE, severity={"all": "With those that need nobody"}),
)  # fmt: skip
@requires(Permission.CLIENTS_REVIEW)
def flags() -> Response:
    """Open flags, the oldest first; `owner` me, none or any, `severity=all` with those that need nobody."""
    actor = current_actor()
    owner = request.args.get("owner", "me")
    if owner not in WHOSE:
        raise NotFound(f"“{owner[:40]}” is none of the choices: me, none or any.")
    least = Severity.INFO if request.args.get("severity") == "all" else Severity.CHECK
    bound = ["flags", owner, least.value]
    position = unseal(request.args.get("cursor"), bound=bound)
    page = find_open(
        owner=owner, reader_id=actor.id, sees_restricted=actor.sees_restricted, least=least, size=DEFAULT_PAGE_SIZE,
        after=position.key if position else None, backwards=position.backwards if position else False,
    )  # fmt: skip

    def at(**change: Any) -> str:
        wanted = {"owner": owner, "severity": "all" if least is Severity.INFO else None, **change}
        return url_for("clients.flags", **wanted)

    earlier, later = _edges(page, position, bound, at)
    return page_or_fragment(
        "clients/flags.html",
        "clients/flags.html",
        rows=[(row, severity_badge(row.flag.severity)) for row in page.rows],
        reader_id=actor.id,
        whose=[{"label": label, "url": at(owner=key), "current": key == owner} for key, label in WHOSE.items()],
        with_info=least is Severity.INFO,
        info_url=at(severity=None if least is Severity.INFO else "all"),
        first_url=at(),
        all_url=at(owner="any"),
        owner=owner,
        earlier=earlier,
        later=later,
        started_later=position is not None,
    )


def _edges(page: FlagPage, position: Position | None, bound: object, at: Any) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards

    def address(row: Any, back: bool) -> str:
        return str(at(cursor=seal(Position(row.key, backwards=back), bound=bound)))

    has_earlier = page.more if backwards else position is not None
    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if backwards or page.more else None,
    )
