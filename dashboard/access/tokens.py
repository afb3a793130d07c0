"""Making, checking and revoking API tokens.

A secret is shown once. Stored is its SHA-256, audience, scopes, expiry and last use (at most one mark a minute).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock, direct
from dashboard.access.actor import Actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ALL_SCOPES, ALONE, DEFAULT_SCOPES, Audience, Permission
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Invalid, NotFound

LIFETIME = timedelta(days=365)
#: of tokens that no administrator makes alone
TAKES_TWO = sa.or_(
    ApiToken.approval_id.is_not(None),
    sa.not_(ApiToken.scopes.contained_by(sorted(scope.value for scope in ALONE))),  # type: ignore[attr-defined]
)
_LONGEST_HEADER = 256


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def resolve_scopes(audience: Audience, names: Iterable[str]) -> frozenset[Permission]:
    """Scope names to scopes: none are the audience's defaults, `all` every one it may have. Raises Invalid."""
    wanted = list(names)
    if not wanted:
        return DEFAULT_SCOPES[audience]
    if wanted == ["all"]:
        return ALL_SCOPES[audience]
    allowed = {scope.value: scope for scope in ALL_SCOPES[audience]}
    unknown = [name for name in wanted if name not in allowed]
    if unknown:
        raise Invalid.one(
            "scope", f"{unknown[0]!r} is no scope of {audience.value} tokens; these are: {', '.join(sorted(allowed))}"
        )
    return frozenset(allowed[name] for name in wanted)


def create(
    *,
    audience: Audience,
    scopes: frozenset[Permission],
    name: str,
    client_id: UUID | None = None,
    partner: str = "default",
    owner_id: UUID | None = None,
    lifetime: timedelta = LIFETIME,
) -> tuple[ApiToken, str]:
    """The operator's way: a new token and its secret, which is not stored. The database asks for the evidence of it.
    Raises Invalid where audience and client do not fit."""
    token = _made(
        id=new_id(), audience=audience, scopes=scopes, name=name, client_id=client_id, partner=partner,
        owner_id=owner_id, lifetime=lifetime, origin="operator", approval_id=None,
    )  # fmt: skip
    for tell in _tellers:
        tell(token)
    return token, hand_out(token)


#: writes evidence of what the operator made: the audit stands above
_tellers: list[Callable[[ApiToken], None]] = []


def learn_evidence(tell: Callable[[ApiToken], None]) -> None:
    """Take what records a token of the operator; called once by the application factory."""
    _tellers[:] = [tell]


def prepare(
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
) -> ApiToken:
    """The way of the pages: a token that nobody can use until its owner takes the secret (`hand_out`).

    With more than `permissions.ALONE` it needs `approval_id`. Raises Invalid as `create` does.
    """
    return _made(
        id=id, audience=audience, scopes=scopes, name=name, client_id=client_id, partner=partner, owner_id=owner_id,
        lifetime=lifetime, origin="staff", approval_id=approval_id,
    )  # fmt: skip


def check(*, audience: Audience, client_id: UUID | None, lifetime: timedelta) -> None:
    """Raises Invalid where audience and client do not fit, or it would live for less than a day."""
    if (audience is Audience.FRONTOFFICE) != (client_id is not None):
        raise Invalid.one("client", "A front-office token needs the client it speaks for; other tokens have none.")
    if lifetime <= timedelta():
        raise Invalid.one("days", "The token must live for at least a day.")


def client_exists(client_id: UUID) -> bool:
    """Whether there is such a client; its owner is known here by id only."""
    return session().scalar(sa.text("SELECT 1 FROM client WHERE id = :id"), {"id": client_id}) is not None


def usable() -> list[sa.ColumnElement[bool]]:
    """Neither revoked nor expired."""
    return [ApiToken.revoked_at.is_(None), ApiToken.expires_at > clock.now()]


def partner_is_known(partner: str) -> bool:
    """Whether clients of this partner, or tokens of its systems, stand already: another token speaks for them too."""
    return session().scalar(
        sa.text(
            "SELECT EXISTS (SELECT 1 FROM api_token WHERE partner = :partner AND audience = 'integration')"
            " OR EXISTS (SELECT 1 FROM client WHERE partner = :partner)"
        ),
        {"partner": partner},
    ) is True  # fmt: skip


def _made(
    *,
    id: UUID,
    audience: Audience,
    scopes: frozenset[Permission],
    name: str,
    client_id: UUID | None,
    partner: str,
    owner_id: UUID | None,
    lifetime: timedelta,
    origin: str,
    approval_id: UUID | None,
) -> ApiToken:
    check(audience=audience, client_id=client_id, lifetime=lifetime)
    moment = clock.now()
    token = ApiToken(
        id=id,
        name=name,
        audience=audience.value,
        client_id=client_id,
        partner=partner,
        scopes=sorted(scope.value for scope in scopes),
        # of a secret that is thrown away at once: it fits nothing
        secret_hash=_digest(secrets.token_urlsafe(32)),
        prefix=_head(audience),
        owner_id=owner_id,
        created_at=moment,
        expires_at=moment + lifetime,
        origin=origin,
        approval_id=approval_id,
    )
    session().add(token)
    session().flush()
    return token


def _head(audience: str) -> str:
    return f"ch_{audience}_"


def hand_out(token: ApiToken) -> str:
    """Make the secret, once; it is not stored. The caller has locked the token. Raises Conflict when it was made."""
    if token.secret_shown_at is not None:
        raise Conflict("The secret of this token was shown already. Nobody can show it again.", code="alreadyShown")
    secret = _head(token.audience) + secrets.token_urlsafe(32)
    token.secret_hash = _digest(secret)
    token.prefix = secret[: len(token.audience) + 10]
    token.secret_shown_at = clock.now()
    session().flush()
    return secret


def revoke(token_id: UUID) -> ApiToken:
    """Refuse the token from now on. Revoking twice changes nothing. Raises NotFound."""
    token = session().get(ApiToken, token_id)
    if token is None:
        raise NotFound("There is no such token.")
    token.revoked_at = token.revoked_at or clock.now()
    return token


def secret_hash(header: str | None) -> str | None:
    """What is stored of the secret in an Authorization header; None where the header holds none."""
    if not header or len(header) > _LONGEST_HEADER:
        return None
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        return None
    return _digest(secret.strip())


def authenticate(header: str | None) -> Actor | None:
    """The actor behind an Authorization header, or None for every kind of bad token alike."""
    hashed = secret_hash(header)
    row = direct.reading(_KNOWN, (hashed,)) if hashed else None
    if row is None:
        return None
    token_id, name, audience, scopes, owner_id, client_id, partner, worn = row
    if worn:
        with transaction():
            session().execute(sa.update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.now()))
    return Actor(
        kind="token",
        id=token_id,
        name=name,
        role=audience,
        permissions=_permissions(tuple(scopes)),
        owner_id=owner_id,
        client_id=client_id,
        partner=partner,
    )


#: a token that may be used now; the last column says whether its last mark is older than a minute
_KNOWN = """
SELECT id, name, audience, scopes, owner_id, client_id, partner,
       last_used_at IS NULL OR last_used_at < now() - interval '1 minute'
FROM api_token WHERE secret_hash = $1 AND revoked_at IS NULL AND expires_at > now()
"""


@lru_cache(maxsize=256)
def _permissions(scopes: tuple[str, ...]) -> frozenset[Permission]:
    """Scopes of an older or newer release that this one does not know mean nothing."""
    known = {scope.value for scope in Permission}
    return frozenset(Permission(scope) for scope in scopes if scope in known)
