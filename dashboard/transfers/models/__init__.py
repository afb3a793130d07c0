"""Tables of transfers."""

from dashboard.transfers.models.desk import (
    Disposition,
    PayerRule,
    Receipt,
    ReceiptEvent,
    ReceiptFile,
    Screening,
)
from dashboard.transfers.models.exchange import FxMargin, FxQuote, FxRate
from dashboard.transfers.models.incoming import IncomingCorrection, IncomingLink, IncomingRequest
from dashboard.transfers.models.providers import Provider, ProviderFile, ProviderMessage, Submission
from dashboard.transfers.models.recipients import ClientReference, Recipient
from dashboard.transfers.models.rules import (
    CalendarDay,
    CountryRule,
    DeskLimit,
    ProviderRoute,
    RuleChange,
    TransferFee,
    TransferLimit,
)
from dashboard.transfers.models.transfers import StatusChange, Transfer, TransferCheck, TransferDocument

__all__ = [
    "CalendarDay", "ClientReference", "CountryRule", "DeskLimit", "Disposition", "FxMargin", "FxQuote", "FxRate",
    "IncomingCorrection", "IncomingLink", "IncomingRequest", "PayerRule", "Provider", "ProviderFile",
    "ProviderMessage", "ProviderRoute", "Receipt", "ReceiptEvent", "ReceiptFile", "Recipient", "RuleChange",
    "Screening", "StatusChange", "Submission", "Transfer", "TransferCheck", "TransferDocument", "TransferFee",
    "TransferLimit",
]  # fmt: skip
