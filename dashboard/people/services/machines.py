"""Tokens of machines, made on pages: their owner is who makes them, and sees the secret once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from dashboard.access import tokens
from dashboard.access.actor import Actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ALL_SCOPES, ALONE, EXPLAINED, Audience, Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clock import now
from dashboard.database import new_id, session
from dashboard.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from dashboard.people.services.inviting import checked_name
from dashboard.people.services.standing import reason_of, require_administrator, state_of
from dashboard.staff import services as staff

CREATE = "tokens.create"
LONGEST_DAYS = 365
_PARTNER = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")


def make(
    *,
    audience: Audience,
    scopes: frozenset[Permission],
    name: str,
    client_id: UUID | None,
    partner: str,
    days: int,
    reason: str,
    by: Actor,
) -> ApiToken | ApprovalRequest:
    """A token of one's own, or the request for it where it may more than its maker (`ALONE`), or speaks for a partner
    that is known already. `days` until it expires.

    Raises Forbidden, Invalid (also where there is no such client, or a second person would read no reason).
    """
    owner = require_administrator(by)
    errors: list[FieldError] = []
    said = ""
    try:
        said = checked_name(name)
    except Invalid as refusal:
        errors += refusal.errors
    if not scopes or not scopes <= ALL_SCOPES[audience]:
        errors.append(FieldError("scopes", "Choose at least one of the scopes of this audience.", "enum"))
    if not 1 <= days <= LONGEST_DAYS:
        errors.append(FieldError("days", f"Use 1 to {LONGEST_DAYS} days.", "range"))
    if audience is not Audience.INTEGRATION:
        partner = "default"
    elif not _PARTNER.fullmatch(partner):
        errors.append(FieldError("partner", "Use small letters, digits and hyphens, such as partner-one.", "pattern"))
    lifetime = timedelta(days=max(1, days))
    try:
        tokens.check(audience=audience, client_id=client_id, lifetime=lifetime)
    except Invalid as refusal:
        errors += refusal.errors
    if client_id is not None and not tokens.client_exists(client_id):
        errors.append(FieldError("client", "There is no such client.", "unknown"))
    # whoever holds another token of a partner reads and changes what that partner sent
    known = Permission.CLIENTS_IMPORT in scopes and tokens.partner_is_known(partner)
    alone = scopes <= ALONE and not known
    if not alone and not reason.strip():
        because = f" The partner {partner} is known already." if scopes <= ALONE else ""
        errors.append(FieldError("reason", f"Say why: a second person decides about this token.{because}", "required"))
    if errors:
        raise Invalid(errors)
    if alone:
        return _make(
            id=new_id(), audience=audience, scopes=scopes, name=said, client_id=client_id, partner=partner,
            owner_id=owner, lifetime=lifetime, approval_id=None, reason=reason.strip() or None, by=by,
        )  # fmt: skip
    return approvals.request(
        CREATE,
        object_type="api_token",
        object_id=new_id(),
        client_id=None,
        subject=said,
        payload={
            "audience": audience.value,
            "scopes": sorted(scope.value for scope in scopes),
            "name": said,
            "partner": partner,
            "clientId": str(client_id) if client_id else None,
            "days": days,
        },
        before={"Token": "none"},
        after={"Token": f"{audience.value}, for {days} days"},
        reason=reason,
        restricted=False,
        by=by,
    )


def _make(
    *,
    id: UUID,
    audience: Audience,
    scopes: frozenset[Permission],
    name: str,
    client_id: UUID | None,
    partner: str,
    owner_id: UUID,
    lifetime: timedelta,
    approval_id: UUID | None,
    reason: str | None,
    by: Actor,
) -> ApiToken:
    token = tokens.prepare(
        id=id, audience=audience, scopes=scopes, name=name, client_id=client_id, partner=partner,
        owner_id=owner_id, lifetime=lifetime, approval_id=approval_id,
    )  # fmt: skip
    audit.record(
        "token.created",
        by=by,
        object_type="api_token",
        object_id=token.id,
        client_id=client_id,
        after={
            "audience": token.audience,
            "scopes": token.scopes,
            "partner": token.partner,
            "owner": str(owner_id),
            "expires": token.expires_at.isoformat(),
        },
        reason=reason,
    )
    return token


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Who asked, and will answer for the token, is who they were."""
    return {"owner": [state_of(member) for member in staff.held({request.maker_id}).values()]}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved token. Its lifetime begins now; nobody can use it before its owner has the secret."""
    said = request.payload
    known = {scope.value: scope for scope in Permission}
    _make(
        id=request.object_id, audience=Audience(said["audience"]),
        scopes=frozenset(known[scope] for scope in said["scopes"]), name=said["name"],
        client_id=UUID(said["clientId"]) if said["clientId"] else None,
        partner=said["partner"], owner_id=request.maker_id, lifetime=timedelta(days=int(said["days"])),
        approval_id=request.id, reason=request.reason, by=by,
    )  # fmt: skip


def _locked(token_id: UUID) -> ApiToken:
    token = session().get(ApiToken, token_id, with_for_update=True, populate_existing=True)
    if token is None:
        raise NotFound("There is no such token.")
    return token


def take_secret(token_id: UUID, *, by: Actor) -> tuple[ApiToken, str]:
    """The owner sees the secret, once; it is stored nowhere. Raises Forbidden, NotFound, Conflict."""
    owner = require_administrator(by)
    token = _locked(token_id)
    if token.owner_id != owner:
        raise Forbidden("Only who made this token sees its secret.", code="notTheOwner")
    if token.revoked_at is not None or token.expires_at <= now():
        raise Conflict("This token is over. Make another one.", code="tokenOver")
    secret = tokens.hand_out(token)
    audit.record("token.secret_shown", by=by, object_type="api_token", object_id=token.id, client_id=token.client_id)
    return token, secret


def revoke(token_id: UUID, *, reason: str, by: Actor) -> ApiToken:
    """Refuse the token from now on. Raises Forbidden, Invalid, NotFound, Conflict `alreadyRevoked`."""
    require_administrator(by)
    why = reason_of(reason)
    token = _locked(token_id)
    if token.revoked_at is not None:
        raise Conflict("This token is revoked already.", code="alreadyRevoked")
    tokens.revoke(token.id)
    session().flush()
    audit.record(
        "token.revoked", by=by, object_type="api_token", object_id=token.id, client_id=token.client_id, reason=why
    )
    return token


def in_words(scopes: list[str]) -> str:
    """Open clients, Block clients"""
    labels = {scope.value: line.label for scope, line in EXPLAINED.items()}
    return ", ".join(labels.get(scope, scope) for scope in scopes)
