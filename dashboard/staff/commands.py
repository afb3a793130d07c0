"""`flask staff` and `flask tokens`: what an operator does at the command line."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup

from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit import services as audit
from dashboard.database import constraint_of, migration_url, session, transaction
from dashboard.errors import DomainError, Invalid
from dashboard.settings import Settings
from dashboard.staff import resealing, sealing, second_factor, services
from dashboard.staff.models import StaffMember

staff_commands = AppGroup("staff", help="Staff members.")
token_commands = AppGroup("tokens", help="API tokens.")


def _production() -> bool:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings.production


def _sentence(error: DomainError) -> str:
    if isinstance(error, Invalid):
        return "; ".join(f"{e.field}: {e.message}" for e in error.errors)
    return error.message


@staff_commands.command("create")
@click.option("--email", required=True)
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--password", required=True, help="At least 12 characters.")
@click.option("--name", default=None, help="As colleagues read it.")
def create_staff(email: str, role: str, password: str, name: str | None) -> None:
    """Make a staff member."""
    try:
        with transaction():
            member = services.create_member(
                email=email, role=Role(role), password=password, name=name, by=system("command line")
            )
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    click.echo(f"{member.email} is {member.role_row.label.lower()} now.")


@staff_commands.command("set-password")
@click.option("--email", required=True)
@click.password_option(help="At least 12 characters; asked for when left out.")
def set_password(email: str, password: str) -> None:
    """Give a person a new password; all their sessions end."""
    try:
        with transaction():
            member = services.set_password(email, new=password, by=system("command line"))
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    click.echo(f"{member.email} has a new password and is signed out everywhere.")


@staff_commands.command("reset-factor")
@click.option("--email", required=True)
def reset_factor(email: str) -> None:
    """Take a lost second factor away; all sessions of the person end. For when no two administrators can."""
    try:
        with transaction():
            by = system("command line")
            member = second_factor.reset(services.member_named(email).id, approval_id=None, reason=None, by=by)
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    click.echo(f"{member.email} has no second factor any more and is signed out everywhere.")


@staff_commands.command("reseal-factors")
def reseal_factors() -> None:
    """Seal every second factor under the newest SECOND_FACTOR_KEY and say how many are under which key. Needs the login
    that migrates. Status 1: no key opens some of them."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    owner = sa.create_engine(migration_url(settings), poolclass=sa.NullPool)
    try:
        with transaction():
            counted = resealing.reseal(owner, by=system("command line"))
    finally:
        owner.dispose()
    click.echo(f"{counted.resealed} sealed anew.")
    for place, name in enumerate(sealing.key_names()):
        click.echo(f"key {name}: {counted.by_key[name]} ({'older' if place else 'the newest'})")
    if unreadable := counted.by_key[resealing.UNREADABLE]:
        raise click.ClickException(
            f"{unreadable} cannot be read: keep the key that sealed them in SECOND_FACTOR_KEY, or reset these factors."
        )


@staff_commands.command("disable")
@click.option("--email", required=True)
def disable_staff(email: str) -> None:
    """Keep a person from signing in; their sessions, tokens, open invitations and requests end."""
    try:
        with transaction():
            member = services.disable(email, by=system("command line"))
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    click.echo(f"{member.email} can no longer sign in.")


@staff_commands.command("enable")
@click.option("--email", required=True)
def enable_staff(email: str) -> None:
    """Let a disabled person sign in again, in the role they had. Needs the login that migrates. For when no two people
    can decide it."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    owner = sa.create_engine(migration_url(settings), poolclass=sa.NullPool)
    try:
        member = services.enable(email, owner=owner, by=system("command line"))
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    finally:
        owner.dispose()
    click.echo(f"{member.email} can sign in again as {member.role_row.label.lower()}.")


@token_commands.command("create")
@click.option("--audience", required=True, type=click.Choice([audience.value for audience in Audience]))
@click.option("--client", "client_id", type=click.UUID, default=None, help="Front office: the client it speaks for.")
@click.option("--scope", "scopes", multiple=True, help="May be repeated; `all` gives every scope of the audience.")
@click.option("--partner", default="default", help="Integration: whose external ids these are.")
@click.option("--name", default="command line")
@click.option("--days", default=365, type=click.IntRange(1, 3650), help="Until it expires.")
@click.option("--owner", default=None, help="E-mail of the staff member who answers for it.")
def create_token(
    audience: str,
    client_id: UUID | None,
    scopes: tuple[str, ...],
    partner: str,
    name: str,
    days: int,
    owner: str | None,
) -> None:
    """Make a token; prints it and nothing else. It cannot be shown again."""
    try:
        with transaction():
            owner_id = None
            if owner:
                known = session().scalar(sa.select(StaffMember).where(StaffMember.email_key == owner.strip().lower()))
                if known is None:
                    raise Invalid.one("owner", "There is no such staff member.")
                # held: a token of somebody who is disabled at this moment would outlive them
                answers = services.held({known.id})[known.id]
                if answers.disabled_at is not None:
                    raise Invalid.one("owner", f"{answers.email} can no longer sign in. Name somebody who can.")
                owner_id = answers.id
            if owner_id is None and audience == Audience.SYSTEM and _production():
                raise Invalid.one(
                    "owner", "In production a system token needs --owner: that person never decides what it asks."
                )
            chosen = tokens.resolve_scopes(Audience(audience), scopes)
            _token, secret = tokens.create(
                audience=Audience(audience),
                scopes=chosen,
                name=name,
                client_id=client_id,
                partner=partner,
                owner_id=owner_id,
                lifetime=timedelta(days=days),
            )
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "fk_api_token_client_id":
            raise
        raise click.ClickException("client: There is no such client.") from None
    click.echo(secret)


@token_commands.command("revoke")
@click.argument("token_id", type=click.UUID)
def revoke_token(token_id: UUID) -> None:
    """Refuse a token from now on."""
    try:
        with transaction():
            tokens.revoke(token_id)
            audit.record("token.revoked", by=system("command line"), object_type="api_token", object_id=token_id)
    except DomainError as error:
        raise click.ClickException(_sentence(error)) from None
    click.echo("Revoked.")


@token_commands.command("list")
def list_tokens() -> None:
    """All tokens, newest first; never the secrets."""
    from dashboard.access.models import ApiToken

    for token in session().scalars(sa.select(ApiToken).order_by(ApiToken.id.desc())):
        state = "revoked" if token.revoked_at else f"until {token.expires_at:%Y-%m-%d}"
        used = f"{token.last_used_at:%Y-%m-%d %H:%M}Z" if token.last_used_at else "never used"
        click.echo(f"{token.id}  {token.audience:<11}  {state:<18}  {used:<18}  {token.prefix}…  {token.name}")
