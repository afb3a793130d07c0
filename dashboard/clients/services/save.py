"""Creating a client and changing its profile."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients import countries
from dashboard.clients.folding import name_key, search_text
from dashboard.clients.models import Client, Company, Individual, RelatedIndividual
from dashboard.clients.profile import CompanyProfile, Document, IndividualProfile, Profile, RelatedPerson
from dashboard.clients.services import risk_history
from dashboard.clients.services.lock import locked
from dashboard.clients.services.risk import LowersRisk, block_prohibited
from dashboard.clients.services.upkeep import after_change
from dashboard.clients.vocabulary import Risk, Status
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.services import accounts


def _document_columns(document: Document | None) -> dict[str, Any]:
    stored = document or Document()
    return {
        "document_type": stored.type,
        "document_number": stored.number,
        "document_issued_by": stored.issued_by,
        "document_issued_country": countries.stored(stored.issued_country_code),
        "document_issued_date": stored.issued_date,
        "document_expiration_date": stored.expiration_date,
    }


def _document_json(document: Document | None) -> dict[str, Any] | None:
    if document is None:
        return None
    return {
        "issuedBy": document.issued_by,
        "expirationDate": document.expiration_date.isoformat() if document.expiration_date else None,
        "type": document.type,
        "number": document.number,
        "issuedCountryCode": countries.stored(document.issued_country_code),
        "issuedDate": document.issued_date.isoformat() if document.issued_date else None,
    }


def _address_json(profile: Any) -> dict[str, Any] | None:
    stored = profile.as_json() if profile else None
    if stored:
        stored["country"] = countries.stored(stored["country"])
    return stored


def _detail_columns(profile: Profile) -> dict[str, Any]:
    if isinstance(profile, IndividualProfile):
        return {
            "first_name": profile.first_name,
            "last_name": profile.last_name,
            "birth_date": profile.birth_date,
            "citizenship_country": countries.stored(profile.citizenship_country),
            "residence_country": countries.stored(profile.residence_country),
            **_document_columns(profile.document),
            "address": _address_json(profile.address),
        }
    assert isinstance(profile, CompanyProfile)
    columns = profile.company_columns()
    for name in ("registration_country", "tax_residency_country"):
        columns[name] = countries.stored(columns[name])
    return {**columns, "address": _address_json(profile.address)}


def _shown_name(profile: Profile) -> str:
    """The documented pattern (reference/001) allows a name of blanks; a list still needs words to click on."""
    return profile.name or "(no name)"


def _country(detail: dict[str, Any]) -> str | None:
    country: str | None = detail.get("residence_country") or detail.get("registration_country")
    return country or (detail.get("address") or {}).get("country")


def _search_text(client: Client, detail: dict[str, Any]) -> str:
    # a number that is written with blanks is also found without them
    phone = client.phone_number or ""
    digits = "".join(letter for letter in phone if letter in "0123456789")
    return search_text(
        client.name,
        client.email,
        phone,
        digits if digits != search_text(phone) else None,
        detail.get("registration_number"),
        client.external_id,
    )


def _related_rows(client_id: UUID, people: tuple[RelatedPerson, ...]) -> list[RelatedIndividual]:
    rows = []
    for position, person in enumerate(people):
        columns = asdict(person)
        columns["document"] = _document_json(person.document)
        columns["residential_address"] = _address_json(person.residential_address)
        for name in ("residence_country", "citizenship_country"):
            columns[name] = countries.stored(columns[name])
        rows.append(RelatedIndividual(id=new_id(), client_id=client_id, position=position, **columns))
    return rows


def _plain(value: Any) -> Any:
    """JSON-ready, for the audit event."""
    if isinstance(value, dict | list | str | int | bool) or value is None:
        return value
    return str(value)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    keys = [key for key in after if before.get(key) != after[key]]
    return {key: _plain(before.get(key)) for key in keys}, {key: _plain(after[key]) for key in keys}


#: columns of a related individual that say nothing about the person
_NOT_ABOUT_THE_PERSON = {"id", "client_id", "position", "first_name", "last_name"}


def _people_for_audit(rows: list[RelatedIndividual]) -> list[str]:
    """Each person in one line with everything that is said of them: a change of any field shows."""
    told = []
    for row in rows:
        parts = [f"{row.first_name or ''} {row.last_name or ''}".strip()]
        for column in RelatedIndividual.__table__.columns:
            value = getattr(row, column.name)
            if column.name in _NOT_ABOUT_THE_PERSON or value is None or value is False:
                continue
            label = column.name.removeprefix("is_").replace("_", " ")
            if isinstance(value, dict):
                said = " ".join(str(part) for part in value.values() if part is not None)
                parts.append(f"{label} {said}")
            elif value is True:
                parts.append(label)
            elif isinstance(value, Decimal):
                parts.append(f"{label} {value.normalize():f} %")
            else:
                parts.append(f"{label} {value}")
        told.append(", ".join(parts))
    return told


def create(
    profile: Profile,
    *,
    by: Actor,
    partner: str | None = None,
    external_id: str | None = None,
) -> Client:
    """A new client, inactive whatever the profile says. Raises Conflict for a known external id of the partner.

    A prohibited risk is accepted and flagged: such a client cannot be activated.
    """
    moment = clock.now()
    detail = _detail_columns(profile)
    client = Client(
        id=new_id(),
        type=profile.type.value,
        status=Status.INACTIVE.value,
        risk_level=profile.risk_level or 0,
        name=_shown_name(profile),
        name_key=name_key(_shown_name(profile)),
        search_text="",
        country=_country(detail),
        email=profile.email,
        phone_number=profile.phone_number,
        partner=partner,
        external_id=external_id,
        onboarding_id=profile.onboarding_id,
        editor_user_id=by.staff_id,
        is_default_compliant=bool(profile.is_default_compliant),
        open_flags=0,
        worst_flag=0,
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    client.search_text = _search_text(client, detail)
    risk_history.say(client.id, cause="created", by=by)
    try:
        with savepoint():
            session().add(client)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_client_partner_external_id":
            raise
        raise Conflict(
            "A client with this externalId has been imported already.", code="externalIdTaken",
            details={"field": "externalId"},
        ) from None  # fmt: skip
    kind = Individual if isinstance(profile, IndividualProfile) else Company
    accounts.register_owner(client.id)
    session().add(kind(client_id=client.id, **detail))
    people = _related_rows(client.id, tuple(getattr(profile, "related_individuals", ())))
    session().add_all(people)
    audit.record(
        "client.created",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        after={
            "name": client.name,
            "type": client.type,
            "status": client.status,
            "risk": Risk(client.risk_level).label,
            "country": client.country,
            # what was said at the beginning, whole: a later change tells what it replaced
            "profile": {
                "email": client.email,
                "phone_number": client.phone_number,
                **{name: _plain(value) for name, value in detail.items() if value is not None},
                "related_individuals": _people_for_audit(people),
            },
        },
    )
    after_change(client, by=by)
    return client


def update(client_id: UUID, profile: Profile, *, by: Actor, expected_version: int | None = None) -> Client:
    """Replace the profile. A field that the profile leaves out is emptied, but for those that callers cannot write.

    Raises NotFound; Conflict when `expected_version` is not the present one; Invalid when the type differs;
    LowersRisk when the risk would go down: then nothing has changed, and the caller asks for approval instead; Refused
    while processing is restricted.
    """
    client = locked(client_id)
    if client.restricted_at is not None:
        raise Refused(
            "Processing is restricted: a request for deletion is open, and the profile is kept as it is.",
            code="processingRestricted",
        )
    if expected_version is not None and expected_version != client.version:
        raise Conflict("This client was changed meanwhile.", code="changedMeanwhile")
    if profile.type.value != client.type:
        raise Invalid.one("type", f"This client is of type {client.type}; the type never changes.", "type")
    wanted_risk = client.risk_level if profile.risk_level is None else profile.risk_level
    if wanted_risk < client.risk_level:
        raise LowersRisk(client.id, wanted_risk)
    kind: type[Individual] | type[Company] = Individual if isinstance(profile, IndividualProfile) else Company
    detail = session().get(kind, client.id)
    assert detail is not None  # made together with the client
    columns = _detail_columns(profile)
    common: dict[str, Any] = {
        "name": _shown_name(profile),
        "email": profile.email,
        "phone_number": profile.phone_number,
        "country": _country(columns),
    }
    if profile.is_default_compliant is not None:
        common["is_default_compliant"] = profile.is_default_compliant
    if profile.onboarding_id is not None:
        common["onboarding_id"] = profile.onboarding_id
    before = {name: getattr(client, name) for name in common} | {name: getattr(detail, name) for name in columns}
    before_plain, after_plain = _changes(before, common | columns)
    for name, value in common.items():
        setattr(client, name, value)
    for name, value in columns.items():
        setattr(detail, name, value)
    if isinstance(profile, CompanyProfile):
        _replace_people(client, profile, before_plain, after_plain)
    risk_before = client.risk_level
    if wanted_risk != risk_before:
        before_plain["risk"], after_plain["risk"] = Risk(risk_before).label, Risk(wanted_risk).label
        if wanted_risk == Risk.PROHIBITED:
            block_prohibited(client)
        risk_history.say(client.id, cause="changed", by=by)
        client.risk_level = wanted_risk
    if not after_plain:
        return client
    client.name_key = name_key(client.name)
    client.search_text = _search_text(client, columns)
    client.editor_user_id = by.staff_id or client.editor_user_id
    client.version += 1
    audit.record(
        "client.changed",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before=before_plain,
        after=after_plain,
    )
    after_change(client, by=by)
    return client


def _replace_people(client: Client, profile: CompanyProfile, before: dict[str, Any], after: dict[str, Any]) -> None:
    standing = list(
        session().scalars(
            sa.select(RelatedIndividual)
            .where(RelatedIndividual.client_id == client.id)
            .order_by(RelatedIndividual.position)
        )
    )
    fresh = _related_rows(client.id, tuple(profile.related_individuals))
    compared = [c.name for c in RelatedIndividual.__table__.columns if c.name not in {"id", "client_id"}]
    if [[getattr(row, n) for n in compared] for row in standing] == [
        [getattr(row, n) for n in compared] for row in fresh
    ]:
        return
    before["related_individuals"], after["related_individuals"] = _people_for_audit(standing), _people_for_audit(fresh)
    for row in standing:
        session().delete(row)
    session().flush()
    session().add_all(fresh)
