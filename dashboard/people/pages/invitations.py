"""Invitations: asking, the link that is shown once, taking it back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, flash, render_template, request, url_for

from dashboard import notifier
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.audit import queries as audit
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Refused
from dashboard.people import queries, words
from dashboard.people.forms import InviteForm, ReasonForm
from dashboard.people.models import StaffInvitation
from dashboard.people.pages.blueprint import (
    acted,
    at,
    chosen,
    hands_out_power,
    history,
    manages,
    may_manage,
    people,
    reads,
    waiting,
    who_decides,
)
from dashboard.people.services import inviting
from dashboard.settings import Settings
from dashboard.staff import queries as staff
from dashboard.staff.step_up import needs_step_up
from dashboard.views.lists import choices, listed
from dashboard.web.htmx import dialog, go
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

STATES = {"open": "Open", "accepted": "Accepted", "ended": "Ended"}


@people.get("/staff/invitations")
@listed("invitations", "Invitations", keeps=("state",), reads=choices(state=STATES))
@reads
def invitations() -> str:
    """Newest first; state narrows it."""
    state = chosen("state", STATES, "open, accepted or ended")
    values = {"state": state} if state else {}
    bound = ["invitations", state]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.invitations(
        state=state, after=None if backwards else edge, before=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
    )
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.id)], bound=bound
    )
    return render_template(
        "people/invitations.html", rows=shown, state=state, may_manage=may_manage(),
        badges=words.INVITATION_BADGES, state_of=queries.state_of, roles=ROLES, role_of=Role,
        names=staff.names(row.invited_by for row in shown), requests=waiting(queries.open_requests(inviting.INVITE)),
        prev_url=at("people.invitations", values, before), next_url=at("people.invitations", values, after),
    )  # fmt: skip


@people.route("/staff/invitations/new", methods=["GET", "POST"])
@hands_out_power
def invite() -> Any:
    """Ask a second person to let somebody join."""
    form, back = InviteForm(), url_for("people.invitations")
    return acted(
        form,
        lambda status: dialog(
            "people/_invite.html", status=status, form=form,
            title="Invite somebody", who_decides=who_decides(inviting.INVITE), roles=ROLES, close_url=back,
        ),
        lambda: inviting.ask_to_invite(
            name=form.name.data or "", email=form.email.data or "", role=Role(form.role.data),
            reason=form.reason.data or "", by=current_actor(),
        ),
        ("Asked for the invitation. Once a second person has approved it, you make the link here.", "wait"),
        back,
    )  # fmt: skip


def _by_mail() -> Settings | None:
    """The settings where links go by e-mail: with a mail server, and where the house knows its own address. What a
    browser says of it is not enough: whoever makes the link could have the invited person led elsewhere."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings if settings.mail_server is not None and settings.public_url is not None else None


def _shown(invitation: StaffInvitation, **secret: Any) -> str:
    decider, decider_name = inviting.who_approved(invitation)
    me = current_actor().id
    return render_template(
        "people/invitation.html", invitation=invitation, may_manage=may_manage(),
        # a link that would be shown is not for who hands over the joining code
        may_link=may_manage() and (_by_mail() is not None or me != decider),
        hands_over_code=me == decider, approved_by=decider_name, by_mail=_by_mail() is not None,
        state=queries.state_of(invitation), badges=words.INVITATION_BADGES, role=ROLES[Role(invitation.role)],
        ended=words.ENDED.get(invitation.ended_because or ""),
        names=staff.names((invitation.invited_by, invitation.link_by)),
        events=history(audit.of_object("staff_invitation", invitation.id, sees_restricted=False)), **secret,
    )  # fmt: skip


@people.get("/staff/invitations/<uuid:invitation_id>")
@reads
def invitation(invitation_id: UUID) -> str:
    """One invitation; never its link nor its joining code."""
    return _shown(queries.invitation(invitation_id))


def _sent(invitation_id: UUID, settings: Settings) -> str | None:
    """Make a link and e-mail it; gives that in words, or None where it did not go. Raises Conflict, NotFound."""
    with transaction():
        made, secret = inviting.make_link(invitation_id, mailed=True, by=current_actor())
    link = f"{settings.public_url}{url_for('people.join', secret=secret)}"
    text = (
        f"Hello {made.name},\n\n{settings.institution_name} has made a place for you in its back office."
        f" Choose a password within 72 hours:\n\n{link}\n\nThe link works once. If you did not expect it, tell an"
        " administrator.\n"
    )
    try:
        # the transaction has ended: a mail server is slow
        notifier.current().send(notifier.Message(made.email, "Your invitation to the back office", text))
    except DomainError:
        return None
    return f"The link was e-mailed to {made.email}. Nobody else sees it."


@people.post("/staff/invitations/<uuid:invitation_id>/link")
@hands_out_power
def make_link(invitation_id: UUID) -> Any:
    """Make the link and e-mail it; where that cannot be, show another one once, which counts with the joining code of
    who approved. Loading the answer again makes another link, and this one is over."""
    back, settings = url_for("people.invitation", invitation_id=invitation_id), _by_mail()
    try:
        if settings is not None and (told := _sent(invitation_id, settings)) is not None:
            flash(told, "ok")
            return go(back)
        with transaction():
            # what was to be e-mailed is never shown: it would count alone
            made, secret = inviting.make_link(invitation_id, mailed=False, by=current_actor())
    except (Conflict, Refused) as refusal:
        flash(f"It could not be e-mailed. {refusal.message}" if settings else refusal.message, "wait")
        return go(back)
    why = f"It could not be e-mailed to {made.email}." if settings else "Nothing was e-mailed."
    known: Settings = current_app.extensions["countinghouse.settings"]
    link = f"{known.public_url or request.host_url.rstrip('/')}{url_for('people.join', secret=secret)}"
    return _shown(made, link=link, why_shown=why)


@people.post("/staff/invitations/<uuid:invitation_id>/code")
@requires(Permission.STAFF_DECIDE, act="hand over joining codes")
@needs_step_up
def make_joining_code(invitation_id: UUID) -> Any:
    """Show the joining code to who approved, once. Loading the answer again makes another, and this one is over."""
    try:
        with transaction():
            made, code = inviting.make_joining_code(invitation_id, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "wait")
        return go(url_for("people.invitation", invitation_id=invitation_id))
    return _shown(made, joining_code=code)


@people.route("/staff/invitations/<uuid:invitation_id>/withdraw", methods=["GET", "POST"])
@manages
def withdraw_invitation(invitation_id: UUID) -> Any:
    """Take it back, at once."""
    form, known = ReasonForm(), queries.invitation(invitation_id)
    back = url_for("people.invitation", invitation_id=invitation_id)
    return acted(
        form,
        lambda status: dialog(
            "people/_withdraw.html", status=status, form=form,
            invitation=known, title=known.name, close_url=back,
        ),
        lambda: inviting.withdraw(invitation_id, reason=form.reason.data or "", by=current_actor()),
        (f"The invitation of {known.name} is withdrawn. Its link no longer works.", "ok"),
        back,
    )  # fmt: skip
