"""The JSON operations of transfers: TF-, TS- and T2- of reference/endpoints.csv."""

from dashboard.transfers.api import (
    assigning,
    callbacks,
    exchange,
    incoming,
    outgoing,
    own_outgoing,
    own_transfers,
    papers,
    recipients,
    transfers,
)
from dashboard.transfers.api.blueprint import transfer_operations

__all__ = [
    "assigning", "callbacks", "exchange", "incoming", "outgoing", "own_outgoing", "own_transfers", "papers",
    "recipients", "transfer_operations", "transfers",
]  # fmt: skip
