"""The words of the domain: enums of the reference (000, 001) and of ours, with what people read."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ClientType(StrEnum):
    INDIVIDUAL = "individual"
    COMPANY = "company"


class Status(StrEnum):
    INACTIVE = "inactive"
    ACTIVE = "active"
    BLOCKED = "blocked"
    CLOSED = "closed"


class Risk(IntEnum):
    """0 is "not set": the reference's riskLevel is an integer that cannot be null."""

    NOT_SET = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    PROHIBITED = 4

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()


class Scope(StrEnum):
    ALL = "all"
    DEBIT = "debit"
    CREDIT = "credit"
    AMOUNT = "amount"


SCOPE_LABELS = {
    Scope.ALL: "All",
    Scope.DEBIT: "Debit",
    Scope.CREDIT: "Credit",
    Scope.AMOUNT: "Amount",
}


class BlockCode(StrEnum):
    """Internal reason codes. Restricted: without `clients:read-restricted` each reads "Internal reason"."""

    SANCTIONS = "SANCTIONS"
    STR_HOLD = "STR_HOLD"
    FIU_ORDER = "FIU_ORDER"
    COURT_ATTACHMENT = "COURT_ATTACHMENT"
    FRAUD = "FRAUD"
    KYC_EXPIRED = "KYC_EXPIRED"
    KYC_FAILED = "KYC_FAILED"
    RISK_PROHIBITED = "RISK_PROHIBITED"
    DECEASED = "DECEASED"
    CLIENT_REQUEST = "CLIENT_REQUEST"
    DORMANT = "DORMANT"
    OPS_ERROR = "OPS_ERROR"
    NOT_STATED = "NOT_STATED"


BLOCK_CODE_LABELS = {
    BlockCode.SANCTIONS: "Sanctions",
    BlockCode.STR_HOLD: "Suspicious transaction report",
    BlockCode.FIU_ORDER: "Order of the FIU",
    BlockCode.COURT_ATTACHMENT: "Court attachment",
    BlockCode.FRAUD: "Fraud suspicion",
    BlockCode.KYC_EXPIRED: "KYC expired",
    BlockCode.KYC_FAILED: "KYC failed",
    BlockCode.RISK_PROHIBITED: "Risk prohibited",
    BlockCode.DECEASED: "Client deceased",
    BlockCode.CLIENT_REQUEST: "Client request",
    BlockCode.DORMANT: "Dormant",
    BlockCode.OPS_ERROR: "Operational error",
    BlockCode.NOT_STATED: "Not stated",
}

MASKED_CODE = "Internal reason"

#: never lifted by a machine (AMLR Art. 71 and 73, sanctions law, court orders)
HUMAN_DECISION = frozenset({BlockCode.SANCTIONS, BlockCode.STR_HOLD, BlockCode.FIU_ORDER, BlockCode.COURT_ATTACHMENT})
#: set by a rule of the house, not offered in the dialog
AUTOMATIC_CODES = frozenset({BlockCode.RISK_PROHIBITED, BlockCode.NOT_STATED})

#: what the client may be told; none of them tells why (AMLR Art. 73: no tipping off)
CLIENT_TEXTS = {
    "check": (
        "Neutral: account check",
        "Your account is temporarily limited. We are checking some details and will write to you."
        " You need not do anything now.",
    ),
    "contact": (
        "Neutral: please contact us",
        "Your account is temporarily limited. Please contact our support; we will tell you what is needed.",
    ),
    "request": (
        "At your own request",
        "Your account is limited as you asked. Contact our support when you want to use it again.",
    ),
}


class KycState(StrEnum):
    """What an outside verification says of a client now. `withdrawn`: deactivated, reset or deleted there."""

    NOT_STARTED = "notStarted"
    PENDING = "pending"
    ON_HOLD = "onHold"
    RETRY = "retry"
    REJECTED = "rejected"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


KYC_LABELS = {
    KycState.NOT_STARTED: "not started",
    KycState.PENDING: "pending",
    KycState.ON_HOLD: "on hold",
    KycState.RETRY: "asked again",
    KycState.REJECTED: "rejected",
    KycState.APPROVED: "approved",
    KycState.WITHDRAWN: "withdrawn",
}
#: states that have consequences, each told by one event; the others say that it is going on
KYC_OUTCOMES = frozenset({KycState.RETRY, KycState.REJECTED, KycState.APPROVED, KycState.WITHDRAWN})


class KycEffect(StrEnum):
    """What an outcome did to the client."""

    ACTIVATED = "activated"
    #: RED FINAL on an active client: a debit block
    BLOCKED = "blocked"
    #: RED FINAL on a client that is not active: a flag
    KEPT_INACTIVE = "keptInactive"
    #: approved, and something stands in the way of activation
    HELD_BACK = "heldBack"
    #: it counts, and there was nothing to do
    NOTHING = "nothing"
    #: a newer event stands; kept and told, nothing else
    OUT_OF_DATE = "outOfDate"


class Severity(IntEnum):
    """How much a doubt weighs. Info never enters a queue."""

    INFO = 1
    CHECK = 2
    STOP = 3

    @property
    def label(self) -> str:
        return self.name.capitalize()


class FlagCode(StrEnum):
    RISK_PROHIBITED = "riskProhibited"
    UNDER_AGE = "underAge"
    BORN_IN_FUTURE = "bornInFuture"
    DOCUMENT_EXPIRED = "documentExpired"
    DOCUMENT_DATES = "documentDates"
    UNKNOWN_COUNTRY = "unknownCountry"
    REGISTERED_IN_FUTURE = "registeredInFuture"
    OWNERSHIP_OVER_100 = "ownershipOver100"
    PEP = "pep"
    PHONE = "phoneUnusable"
    EMAIL = "emailUnusable"
    DUPLICATE_DOCUMENT = "duplicateDocument"
    KYC_REJECTED = "verificationRejected"
    FILE_EXPIRED = "fileExpired"


FLAGS: dict[FlagCode, tuple[Severity, str]] = {
    FlagCode.RISK_PROHIBITED: (Severity.STOP, "Risk is prohibited"),
    FlagCode.UNDER_AGE: (Severity.STOP, "Under 18 years of age"),
    FlagCode.BORN_IN_FUTURE: (Severity.STOP, "Date of birth lies in the future"),
    FlagCode.KYC_REJECTED: (Severity.STOP, "Verification not passed"),
    FlagCode.DOCUMENT_EXPIRED: (Severity.CHECK, "Identity document has expired"),
    FlagCode.DOCUMENT_DATES: (Severity.CHECK, "Dates of the identity document contradict each other"),
    FlagCode.UNKNOWN_COUNTRY: (Severity.CHECK, "Unknown country code"),
    FlagCode.REGISTERED_IN_FUTURE: (Severity.CHECK, "Company was registered in the future"),
    FlagCode.OWNERSHIP_OVER_100: (Severity.CHECK, "Ownership adds up to more than 100 %"),
    FlagCode.PEP: (Severity.CHECK, "Politically exposed person"),
    FlagCode.DUPLICATE_DOCUMENT: (Severity.CHECK, "Identity document of another client"),
    FlagCode.FILE_EXPIRED: (Severity.CHECK, "A document on file has expired"),
    FlagCode.PHONE: (Severity.INFO, "Phone number is none that can be dialled"),
    FlagCode.EMAIL: (Severity.INFO, "E-mail address is none that can be written to"),
}


#: what a verification came to is restricted, so without `clients:read-restricted` there is no such flag
RESTRICTED_FLAGS = frozenset({FlagCode.KYC_REJECTED})


class MarkKind(StrEnum):
    PEP = "pep"
    #: restricted whole: without `clients:read-restricted` there is none
    SANCTIONS = "sanctions"


MARK_LABELS = {MarkKind.PEP: "PEP", MarkKind.SANCTIONS: "Sanctions"}


class Outcome(StrEnum):
    """What a periodic review came to."""

    CONTINUE = "continue"
    CONDITIONS = "conditions"
    END = "end"


OUTCOME_LABELS = {
    Outcome.CONTINUE: "The relationship goes on",
    Outcome.CONDITIONS: "It goes on under conditions",
    Outcome.END: "It should end",
}

#: why a risk is what it is, as the history keeps it
RISK_CAUSES = {
    "created": "Created with it",
    "changed": "Profile changed",
    "raised": "Raised",
    "lowered": "Lowered by two people",
    "review": "Raised at a review",
    "found": "As it stood when the history began",
    "unknown": "Changed in the database",
}


class DocumentType(StrEnum):
    """`driverLicence` is the other spelling seen in the documents; both are taken, this one is stored."""

    PASSPORT = "passport"
    DRIVER_LICENSE = "driverLicense"
    ID_CARD = "idCard"
    OTHER = "other"


class CompanyType(StrEnum):
    SOLE_TRADER = "soleTrader"
    PARTNERSHIP = "partnership"
    PRIVATE = "private"
    NON_PROFIT = "nonProfit"
    COMMUNITY_INTEREST = "communityInterest"
    PUBLIC = "public"
    INTERNATIONAL_NGO = "internationalNgo"


class Turnover(StrEnum):
    """Spelled as the reference spells it."""

    BELOW_100K = "bellow100KEur"
    FROM_100K = "between100KAnd500KEur"
    FROM_500K = "between500KAnd1000KEur"
    FROM_1000K = "between1000KAnd5000KEur"
    ABOVE_5000K = "above5000KEur"


TURNOVER_LABELS = {
    Turnover.BELOW_100K: "below 100,000 EUR",
    Turnover.FROM_100K: "100,000 to 500,000 EUR",
    Turnover.FROM_500K: "500,000 to 1,000,000 EUR",
    Turnover.FROM_1000K: "1,000,000 to 5,000,000 EUR",
    Turnover.ABOVE_5000K: "above 5,000,000 EUR",
}


class Region(StrEnum):
    UK = "uk"
    EEA = "eea"
    OTHER = "other"


class Purpose(StrEnum):
    ADMINISTRATIVE = "administrativeAndOperationalExpenses"
    CONTRACTORS = "paymentsToAndFromContractors"
    SAVINGS = "depositsAndSavings"
    CARDS = "paymentCardProcessing"
    OTHER = "other"


class Industry(StrEnum):
    ACCOUNTING = "accountingOrConsultingOrLegalServices"
    CHARITY = "charityOrSimilarNonProfitActivities"
    CYBERLOCKERS = "cyberlockersOrRemoteDigitalFileStoring"
    DATING = "dating"
    PHARMA = "drugsOrPharmaceutical"
    EMI_OR_PI = "emiOrPi"
    FOREX = "forexOrCfdOrCrowdfunding"
    GAMBLING = "gamblingOrBettingOrLottery"
    INSURANCE = "insuranceOrLendingServices"
    MARKETING = "marketingAndAdvertising"
    GAMING = "onlineGaming"
    REAL_ESTATE = "realEstate"
    RETAIL = "retail"
    SOCIAL = "socialNetworks"
    IT = "it"
    SUBSCRIPTION = "subscriptionOnPhysicalGoodDelivery"
    TELECOM = "telecommunicationAndNetwork"
    TELEMARKETING = "telemarketing"
    TOBACCO = "tobaccoProducts"
    METALS = "tradeInPreciousMetalsAndJewellery"
    TRANSPORT = "transportationOrLogistics"
    TRAVEL = "travelOrLeisure"
    VIRTUAL_ASSETS = "virtualAssetServices"
    OTHER = "other"


def in_words(camel: str) -> str:
    """`paymentsToAndFromContractors` to "Payments to and from contractors"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in camel)
    return words[:1].upper() + words[1:]
