"""The search box of the top bar: what somebody typed says where it is found."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.ledger import numbers

#: an IBAN, whole or from its country on
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{4,30}")
#: the last four of an account number, as every table shows it
_LAST_FOUR = re.compile(r"([A-Z]{2})?(…|\.\.\.)?[0-9]{4}")
#: digits with decimals: no telephone number is written like that
_AMOUNT = re.compile(r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]{2,3}|[0-9]{1,12}[.,][0-9]{2,3}")


def place(text: str, *, by: Actor) -> str:
    """The list that shows it, as a path: accounts for numbers of accounts, transactions for amounts, else clients."""
    said = text.strip()
    if by.may(Permission.LEDGER_READ):
        number = numbers.normalized(said)
        if _IBAN.fullmatch(number) or _LAST_FOUR.fullmatch(number):
            return "/ledger/accounts?" + urlencode({"text": said})
        if _AMOUNT.fullmatch(said):
            exact = said.replace(",", "") if "." in said else said.replace(",", ".")
            return "/ledger/transactions?" + urlencode({"amount_from": exact, "amount_to": exact})
    return "/clients?" + urlencode({"text": said})
