"""By which rails a transfer goes, told by the recipient's account and the currency."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from dashboard.database import session
from dashboard.errors import Invalid
from dashboard.ledger.models import Account
from dashboard.transfers.models import Provider, ProviderRoute
from dashboard.transfers.vocabulary import TransferType

LONGEST_ACCOUNT = 34
_IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}")
_SORT_CODE = re.compile(r"[0-9]{14}")
_ACCOUNT = re.compile(r"[A-Z0-9]{1,34}")


@dataclass(frozen=True)
class Rails:
    """`own`: the account in this house that the money goes to, where it stays here."""

    type: TransferType
    own: Account | None = None


def key_of(account: str) -> str:
    """An account number as transfers know it again: no blanks and hyphens, upper case. Raises Invalid."""
    key = re.sub(r"[\s-]", "", account).upper()
    if not _ACCOUNT.fullmatch(key):
        raise Invalid.one("recipientAccount", f"Use at most {LONGEST_ACCOUNT} letters and digits.", "pattern")
    return key


def _iban(key: str) -> IBAN | None:
    if not _IBAN_LIKE.fullmatch(key):
        return None
    try:
        return IBAN(key)
    except (SchwiftyException, ValueError):
        return None


def _instant_is_offered(currency: str) -> bool:
    return bool(
        session().scalar(
            sa.select(
                sa.exists().where(
                    ProviderRoute.type == TransferType.SEPA_INSTANT.value,
                    ProviderRoute.currency == currency,
                    ProviderRoute.provider == Provider.key,
                    Provider.active,
                )
            )
        )
    )


def rails_for(account_key: str, currency: str) -> Rails:
    """Internal where the account is ours; SEPA for euros, Faster Payments for pounds; the rest goes by SWIFT."""
    own = session().scalar(sa.select(Account).where(Account.number == account_key))
    if own is not None:
        return Rails(TransferType.INTERNAL, own)
    iban = _iban(account_key)
    if currency == "eur" and iban is not None and iban.in_sepa_zone:
        return Rails(TransferType.SEPA_INSTANT if _instant_is_offered(currency) else TransferType.SEPA)
    if currency == "gbp" and (_SORT_CODE.fullmatch(account_key) or (iban is not None and iban.country_code == "GB")):
        return Rails(TransferType.FASTER_PAYMENTS)
    return Rails(TransferType.SWIFT)
