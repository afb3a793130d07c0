"""Money travels with its payer's data (Reg. (EU) 2023/1113 Art. 4): the name and account, and an address, the number
of an official document, or date of birth. Inside the house nothing travels."""

from __future__ import annotations

from dashboard.clients.models import Client, Company, Individual
from dashboard.database import session
from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome, TransferType

#: what of an address tells where somebody lives
_PLACES = ("streetLine1", "city", "zip")


def _has_address(address: dict[str, object] | None) -> bool:
    return any(str((address or {}).get(part) or "").strip() for part in _PLACES)


def missing(client: Client) -> list[str]:
    """Which of the data are missing, by the names of the fields; empty is complete."""
    found = [] if client.name.strip() else ["name"]
    if client.type == "company":
        company = session().get(Company, client.id)
        known = company is not None and (_has_address(company.address) or bool(company.registration_number))
        return found if known else [*found, "address", "registrationNumber"]
    person = session().get(Individual, client.id)
    known = person is not None and (
        _has_address(person.address) or bool(person.document_number) or person.birth_date is not None
    )
    return found if known else [*found, "address", "documentNumber", "birthDate"]


def look(case: Case) -> Finding:
    lacks = [] if case.transfer.type == TransferType.INTERNAL else missing(case.client)
    outcome = CheckOutcome.REVIEW if lacks else CheckOutcome.PASSED
    return Finding(Check.PAYER_DATA, outcome, detail={"missing": lacks})
