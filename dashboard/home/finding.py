"""The search box of the top bar: what somebody typed says where it is found."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlencode

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.ledger import numbers
from dashboard.transfers.queries import transfers

#: an IBAN, whole or from its country on
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}")
#: the last four of an account number, as every table shows it
_LAST_FOUR = re.compile(r"([A-Z]{2})?(…|\.\.\.)?[0-9]{4}")
#: digits with decimals: no telephone number is written like that
_AMOUNT = re.compile(r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]{2,3}|[0-9]{1,12}[.,][0-9]{2,3}")


#: what banks and we make has a digit somewhere and no blanks
_REFERENCE = re.compile(r"(?=\S*[0-9])[\w./:-]{4,140}")


def is_amount(said: str) -> bool:
    """Whether it can be nothing but an amount of money."""
    return _AMOUNT.fullmatch(said) is not None


def exact(said: str) -> str:
    """`1,250.00` and `1250,00` as 1250.00."""
    return said.replace(",", "") if "." in said else said.replace(",", ".")


def place(text: str, *, by: Actor) -> str:
    """Where it is shown, as a path: a transfer by its reference, accounts for numbers of accounts, transfers or
    transactions for amounts, else clients."""
    said = text.strip()
    if by.may(Permission.TRANSFERS_READ):
        if _REFERENCE.fullmatch(said):
            found = transfers.with_reference(said)
            if found:
                return f"/transfers/{found[0]}" if len(found) == 1 else "/transfers?" + urlencode({"reference": said})
        if _AMOUNT.fullmatch(said) and transfers.any_of_amount(Decimal(exact(said))):
            return "/transfers?" + urlencode({"amount": exact(said)})
    if by.may(Permission.LEDGER_READ):
        number = numbers.normalized(said)
        if _IBAN.fullmatch(number) or _LAST_FOUR.fullmatch(number):
            return "/ledger/accounts?" + urlencode({"text": said})
        if _AMOUNT.fullmatch(said):
            amount = exact(said)
            return "/ledger/transactions?" + urlencode({"amount_from": amount, "amount_to": amount})
    return "/clients?" + urlencode({"text": said})
