"""To some countries money goes only after a person looked, to some never; so does money to nobody knows where."""

from __future__ import annotations

from dashboard.database import session
from dashboard.transfers.models import CountryRule
from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome, TransferType

#: what two people made of a rule that holds no longer; it stays, with its note
ALLOWED = "allowed"
REFUSAL = ("countryRefused", "Transfers to this country are not made.")


def look(case: Case) -> Finding:
    country = case.transfer.counterparty_country
    detail = {"country": country}
    if case.transfer.type == TransferType.INTERNAL:
        return Finding(Check.RECIPIENT_COUNTRY, CheckOutcome.PASSED, detail=detail)
    if country is None:
        return Finding(Check.RECIPIENT_COUNTRY, CheckOutcome.REVIEW, detail=detail)
    rule = session().get(CountryRule, country)
    if rule is None or rule.outcome == ALLOWED:
        return Finding(Check.RECIPIENT_COUNTRY, CheckOutcome.PASSED, detail=detail)
    detail["note"] = rule.note
    if rule.outcome == CheckOutcome.REFUSED:
        return Finding(Check.RECIPIENT_COUNTRY, CheckOutcome.REFUSED, detail=detail, refusal=REFUSAL)
    return Finding(Check.RECIPIENT_COUNTRY, CheckOutcome.REVIEW, detail=detail)
