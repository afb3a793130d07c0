"""What a message must tell of the payer, Regulation (EU) 2023/1113 Articles 4, 5 and 7."""

from __future__ import annotations

import re

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from dashboard.ledger import numbers

#: the Union, and the states of the EEA that apply the regulation
UNION = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
        "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO",
    }
)  # fmt: skip

NAME, ACCOUNT, COUNTRY = "payerName", "payerAccount", "payerCountry"
#: the marks of `IncomingRequest.missing` in words
LABELS = {
    NAME: "name of the payer",
    ACCOUNT: "account number of the payer",
    COUNTRY: "address of the payer, who pays from outside the Union",
}

_PLACEHOLDERS = frozenset(
    {"NOTPROVIDED", "NOTAVAILABLE", "UNKNOWN", "NONE", "NA", "NULL", "TEST", "XXX", "CUSTOMER", "ONEOFOURCLIENTS",
     "OURCLIENT", "ANONYMOUS"}
)  # fmt: skip


def _says_nothing(text: str | None) -> bool:
    """Empty, a placeholder, or without two different letters or digits (Article 7: inputs without meaning)."""
    letters = re.sub(r"[\W_]+", "", text or "").upper()
    return letters in _PLACEHOLDERS or len(set(letters)) < 2


def country_of(account: str | None, bic: str | None) -> str | None:
    """Where the payer's bank is, by IBAN, else by BIC; None where neither tells."""
    if account:
        try:
            return str(IBAN(numbers.normalized(account)).country_code)
        except (SchwiftyException, ValueError):
            pass
    if bic and re.fullmatch(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", bic.strip().upper()):
        return bic.strip().upper()[4:6]
    return None


def missing(*, name: str | None, account: str | None, bic: str | None, country: str | None) -> list[str]:
    """Marks of what is missing, in the order of the articles.

    Inside the Union name and account number do. From outside, or where nobody can tell from where, the address too, of
    which messages of ours carry the country.
    """
    found = []
    if _says_nothing(name):
        found.append(NAME)
    if _says_nothing(account):
        found.append(ACCOUNT)
    if country_of(account, bic) not in UNION and not country:
        found.append(COUNTRY)
    return found
