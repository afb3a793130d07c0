"""Account numbers: IBANs (ISO 13616) of the configured country and bank, numbered by a sequence."""

from __future__ import annotations

import sqlalchemy as sa
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from dashboard.database import session
from dashboard.settings import Settings, SettingsError

_place: list[tuple[str, str, int]] = []


def install(settings: Settings) -> None:
    """Take country and bank code from the settings. Raises SettingsError where they make no valid IBAN."""
    country, bank = settings.iban_country, settings.iban_bank_code
    try:
        sample = IBAN.generate(country, bank_code=bank, account_code="1")
        digits = len(sample.account_code)
    except (SchwiftyException, ValueError):
        raise SettingsError(f"IBAN_COUNTRY {country} and IBAN_BANK_CODE {bank!r} make no valid IBAN") from None
    if digits < 8:
        raise SettingsError(f"IBAN_COUNTRY {country} leaves only {digits} digits for accounts")
    _place[:] = [(country, sample.bban[:-digits], digits)]


def check_digits(country: str, bban: str) -> str:
    """The two check digits of ISO 13616 (mod 97)."""
    digits = "".join(str(int(letter, 36)) for letter in bban + country + "00")
    return f"{98 - int(digits) % 97:02d}"


def made(number: int) -> str:
    """The IBAN of the n-th account."""
    country, bank, digits = _place[0]
    bban = bank + str(number).rjust(digits, "0")
    return country + check_digits(country, bban) + bban


def next_number() -> str:
    """An IBAN that no account has yet."""
    return made(int(session().scalar(sa.text("SELECT nextval('account_number')")) or 0))


def normalized(text: str) -> str:
    """As stored: upper case, no spaces."""
    return "".join(text.split()).upper()


def in_groups(number: str) -> str:
    """In groups of four, as people read it."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))
