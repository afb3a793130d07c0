"""What could tie two clients together. Keys are 64-bit hashes, so that no second copy of personal data is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from dashboard.clients.folding import name_key, words
from dashboard.clients.models import Client, Individual, RelatedIndividual

KINDS = {"document": "same document", "phone": "same phone", "email": "same e-mail", "person": "related individual"}


def key(kind: str, *parts: str) -> int:
    """Signed 64-bit hash of a normalized fact."""
    digest = hashlib.blake2b("\x1f".join((kind, *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _compact(text: str) -> str:
    return "".join(words(text))


def document_key(country: str | None, number: str) -> int:
    """One document: issuing country and number, however it is spelled."""
    return key("document", country or "", _compact(number))


def keys_of(
    client: Client, individual: Individual | None, related: list[RelatedIndividual]
) -> Iterator[tuple[str, int]]:
    """(kind, key) of everything about this client that another client may share."""
    if client.phone_number and len(_compact(client.phone_number)) >= 6:
        yield "phone", key("phone", _compact(client.phone_number))
    if client.email:
        yield "email", key("email", client.email.strip().lower())
    if individual is not None:
        if individual.document_number:
            yield "document", document_key(individual.document_issued_country, individual.document_number)
        if individual.birth_date:
            yield "person", key("person", name_key(client.name), individual.birth_date.isoformat())
    for person in related:
        yield from keys_of_person(person)


def keys_of_person(person: RelatedIndividual) -> Iterator[tuple[str, int]]:
    """(kind, key) of what a related individual may share with another client."""
    if person.email:
        yield "email", key("email", person.email.strip().lower())
    number = (person.document or {}).get("number")
    if number:
        yield "document", document_key((person.document or {}).get("issuedCountryCode"), number)
    name = f"{person.first_name or ''} {person.last_name or ''}"
    if person.birth_date and name.strip():
        yield "person", key("person", name_key(name), person.birth_date.isoformat())
