"""Forms of profiles: everything of a person or a company that staff may write, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, FieldList, Form, FormField, SelectField
from wtforms.validators import Optional

from dashboard.clients.forms.fields import (
    ChoiceSelect,
    CountrySelect,
    HiddenNumber,
    Number,
    Several,
    YesNoSelect,
    email,
    longer_text,
    text,
)
from dashboard.clients.models import Client, Company, Individual, RelatedIndividual
from dashboard.clients.profile import Address, CompanyProfile, Document, IndividualProfile, Profile, RelatedPerson
from dashboard.clients.vocabulary import (
    TURNOVER_LABELS,
    ClientType,
    CompanyType,
    DocumentType,
    Industry,
    Purpose,
    Region,
    Risk,
    in_words,
)
from dashboard.web.fields import Day

#: as many people or partners as one company may have on a page
MOST_PEOPLE = 50
_REGIONS = [(Region.UK.value, "United Kingdom"), (Region.EEA.value, "EEA"), (Region.OTHER.value, "Other")]
_DOCUMENTS = [
    (DocumentType.PASSPORT.value, "Passport"),
    (DocumentType.ID_CARD.value, "Identity card"),
    (DocumentType.DRIVER_LICENSE.value, "Driving licence"),
    (DocumentType.OTHER.value, "Other"),
]


class AddressForm(Form):
    street_line1 = text("Street")
    street_line2 = text("Street, second line")
    city = text("City")
    state = text("State or region")
    zip = text("Postal code", longest=40)
    country = CountrySelect("Country")

    def address(self) -> Address:
        return Address(**{field.short_name: field.data for field in self})

    @staticmethod
    def stored(address: dict[str, Any] | None) -> dict[str, Any]:
        kept = address or {}
        return {
            "street_line1": kept.get("streetLine1"),
            "street_line2": kept.get("streetLine2"),
            "city": kept.get("city"),
            "state": kept.get("state"),
            "zip": kept.get("zip"),
            "country": kept.get("country"),
        }


class DocumentForm(Form):
    type = ChoiceSelect("Kind", _DOCUMENTS)
    number = text("Number", longest=100)
    issued_by = text("Issued by")
    issued_country_code = CountrySelect("Issuing country")
    issued_date = Day("Issued")
    expiration_date = Day("Expires")

    def document(self) -> Document | None:
        found = Document(**{field.short_name: field.data for field in self})
        return None if found == Document() else found

    @staticmethod
    def stored(document: dict[str, Any] | None) -> dict[str, Any]:
        kept = document or {}
        return {
            "type": kept.get("type"),
            "number": kept.get("number"),
            "issued_by": kept.get("issuedBy"),
            "issued_country_code": kept.get("issuedCountryCode"),
            "issued_date": _day(kept.get("issuedDate")),
            "expiration_date": _day(kept.get("expirationDate")),
        }


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


#: what a related person may be, each a check box
_ROLES = ("is_ubo", "is_shareholder", "is_director", "is_representative")


class PersonForm(Form):
    """A related individual. `origin` is the position in the stored list; what the form does not show stays."""

    origin = HiddenNumber(validators=[Optional()])
    remove = BooleanField("Remove this person")
    first_name = text("First name")
    last_name = text("Last name")
    email = email("E-mail")
    birth_date = Day("Date of birth")
    citizenship_country = CountrySelect("Citizenship")
    residence_country = CountrySelect("Residence")
    is_ubo = BooleanField("Beneficial owner")
    is_shareholder = BooleanField("Shareholder")
    is_director = BooleanField("Director")
    is_representative = BooleanField("Representative")
    ownership = Number("Share, %", highest=100, decimals=4, like="25.5")
    percentage_ownership = Number("Declared share, %", highest=100, decimals=4, like="25.5")
    is_pep = YesNoSelect("Politically exposed")
    beneficial_owner_pep_details = text("Details of the exposure", longest=1000)
    usa_tax_residency = YesNoSelect("Tax resident of the USA")
    giin_number = text("GIIN", longest=40)
    document = FormField(DocumentForm, "Identity document")
    residential_address = FormField(AddressForm, "Home address")

    def person(self, stored: Sequence[RelatedIndividual]) -> RelatedPerson:
        origin = self.origin.data
        kept = stored[origin] if origin is not None and 0 <= origin < len(stored) else None
        # an empty box over a stored "not stated" stays not stated
        roles = {
            name: True if self[name].data else (None if kept is None or getattr(kept, name) is None else False)
            for name in _ROLES
        }
        address = self.residential_address.form.address()
        return RelatedPerson(
            first_name=self.first_name.data,
            last_name=self.last_name.data,
            email=self.email.data,
            birth_date=self.birth_date.data,
            citizenship_country=self.citizenship_country.data,
            residence_country=self.residence_country.data,
            is_pep=self.is_pep.answer,
            ownership=self.ownership.data,
            percentage_ownership=self.percentage_ownership.data,
            beneficial_owner_pep_details=self.beneficial_owner_pep_details.data,
            usa_tax_residency=self.usa_tax_residency.answer,
            giin_number=self.giin_number.data,
            document=self.document.form.document() or (Document() if kept and kept.document is not None else None),
            residential_address=None if address == Address() else address,
            applicant_id=kept.applicant_id if kept else None,
            **roles,
        )

    @property
    def blank(self) -> bool:
        """Nothing typed: an entry that "Add another person" made and nobody filled."""
        return self.person([]) == RelatedPerson()

    @staticmethod
    def stored(row: RelatedIndividual, position: int) -> dict[str, Any]:
        names = [f.name for f in RelatedIndividual.__table__.columns]
        return {
            **{name: getattr(row, name) for name in names},
            "origin": position,
            "document": DocumentForm.stored(row.document),
            "residential_address": AddressForm.stored(row.residential_address),
        }


class PartnerForm(Form):
    """A business partner, in the reference's fields."""

    remove = BooleanField("Remove this partner")
    name = text("Name")
    incorporation_country_code = CountrySelect("Country of incorporation")
    website = text("Web site")
    basis_partnership = text("Basis of the partnership", longest=1000)
    planned_transfers_quantity_month = Number("Transfers a month", highest=10**9)
    planned_transfers_eur_volume_month = Number("EUR a month", highest=10**12, decimals=2)
    additional_info = text("More", longest=1000)

    FIELDS = {
        "name": "name",
        "incorporation_country_code": "incorporationCountryCode",
        "website": "website",
        "basis_partnership": "basisPartnership",
        "planned_transfers_quantity_month": "plannedTransfersQuantityMonth",
        "planned_transfers_eur_volume_month": "plannedTransfersEurVolumeMonth",
        "additional_info": "additionalInfo",
    }

    def partner(self) -> dict[str, Any]:
        return _document(self, self.FIELDS)

    @property
    def blank(self) -> bool:
        return not any(value is not None for value in self.partner().values())

    @classmethod
    def stored(cls, partner: dict[str, Any]) -> dict[str, Any]:
        return {ours: partner.get(theirs) for ours, theirs in cls.FIELDS.items()}


def _document(form: Form, fields: dict[str, str]) -> dict[str, Any]:
    """A small JSON document in the reference's names."""
    document = {}
    for ours, theirs in fields.items():
        field = form[ours]
        document[theirs] = field.json if isinstance(field, Number) else field.data
    return document


class ProfileForm(FlaskForm):
    """What persons and companies share. `version` is the one that the page was read at."""

    version = HiddenNumber(validators=[Optional()])
    email = email("E-mail")
    phone_number = text("Phone", longest=50, description="With the country code, like +37061234567.")
    address = FormField(AddressForm, "Address")
    risk_level = SelectField("Risk", coerce=int, choices=[(r.value, r.label) for r in Risk], default=0)
    risk_reason = longer_text("Why, if you lower the risk", description="Lowering it waits for a second person.")
    is_default_compliant = BooleanField("Compliant by default")

    kind: ClientType

    def profile(self, stored: Sequence[RelatedIndividual] = (), detail: Any = None) -> Profile:
        raise TypeError("use the form of a person or of a company")

    def common(self) -> dict[str, Any]:
        return {
            "email": self.email.data,
            "phone_number": self.phone_number.data,
            "address": self.address.form.address(),
            "risk_level": self.risk_level.data,
            "is_default_compliant": self.is_default_compliant.data,
        }


class IndividualForm(ProfileForm):
    kind = ClientType.INDIVIDUAL

    first_name = text("First name", required="Write the first name.")
    last_name = text("Last name", required="Write the last name.")
    birth_date = Day("Date of birth")
    citizenship_country = CountrySelect("Citizenship")
    residence_country = CountrySelect("Residence")
    document = FormField(DocumentForm, "Identity document")

    def profile(self, stored: Sequence[RelatedIndividual] = (), detail: Any = None) -> IndividualProfile:
        return IndividualProfile(
            **self.common(),
            first_name=self.first_name.data or "",
            last_name=self.last_name.data or "",
            birth_date=self.birth_date.data,
            citizenship_country=self.citizenship_country.data,
            residence_country=self.residence_country.data,
            document=self.document.form.document(),
        )


class FlowsForm(Form):
    planned_incoming_transfers_quantity = Number("Incoming transfers a month", highest=10**9)
    planned_incoming_transfers_eur_volume = Number("Incoming EUR a month", highest=10**12, decimals=2)
    planned_outbound_transfers_quantity = Number("Outgoing transfers a month", highest=10**9)
    planned_outbound_transfers_eur_volume = Number("Outgoing EUR a month", highest=10**12, decimals=2)

    FIELDS = {
        "planned_incoming_transfers_quantity": "plannedIncomingTransfersQuantity",
        "planned_incoming_transfers_eur_volume": "plannedIncomingTransfersEurVolume",
        "planned_outbound_transfers_quantity": "plannedOutboundTransfersQuantity",
        "planned_outbound_transfers_eur_volume": "plannedOutboundTransfersEurVolume",
    }


class EvaluationForm(Form):
    review_periodicity = text("Review periodicity")
    applied_limits = text("Applied limits", longest=1000)
    additional_info = longer_text("More")

    FIELDS = {
        "review_periodicity": "reviewPeriodicity",
        "applied_limits": "appliedLimits",
        "additional_info": "additionalInfo",
    }


class CompanyForm(ProfileForm):
    kind = ClientType.COMPANY

    legal_name = text("Legal name", longest=400, required="Write the legal name.")
    company_type = ChoiceSelect("Kind of company", [(c.value, in_words(c.value)) for c in CompanyType])
    registration_number = text("Registration number", longest=100)
    registration_date = Day("Registered")
    registration_country = CountrySelect("Country of registration")
    tax_residency_country = CountrySelect("Tax residency")
    tax_number = text("Tax number", longest=100)
    web_site = text("Web site", longest=400)
    industry = ChoiceSelect("Industry", [(i.value, in_words(i.value)) for i in Industry])
    industry_other = text("Industry in own words")
    turnover = ChoiceSelect("Declared turnover a year", [(t.value, TURNOVER_LABELS[t]) for t in TURNOVER_LABELS])
    pay_ins_countries = Several("Money comes from", _REGIONS)
    pay_outs_countries = Several("Money goes to", _REGIONS)
    purposes_account_opening = Several("Purposes of the account", [(p.value, in_words(p.value)) for p in Purpose])
    purposes_account_opening_other = text("Purposes in own words", longest=1000)
    is_engaged_gambling_10k = YesNoSelect("Gambling above 10,000 EUR")
    is_foundation = YesNoSelect("Foundation")
    is_publicly_listed = YesNoSelect("Publicly listed")
    is_relevant_activity = YesNoSelect("Relevant activity")
    fund_flows = FormField(FlowsForm, "Fund flows")
    business_partners = FieldList(FormField(PartnerForm), "Business partners", max_entries=MOST_PEOPLE)
    compliance_evaluation = FormField(EvaluationForm, "Compliance evaluation")
    related_individuals = FieldList(FormField(PersonForm), "Related individuals", max_entries=MOST_PEOPLE)

    def profile(self, stored: Sequence[RelatedIndividual] = (), detail: Any = None) -> CompanyProfile:
        """`detail` is the stored company: what the form does not show (custom options) is kept from there."""
        people = [e.form for e in self.related_individuals if not e.form.remove.data and not e.form.blank]
        partners = [e.form.partner() for e in self.business_partners if not e.form.remove.data and not e.form.blank]
        evaluation = _document(self.compliance_evaluation.form, EvaluationForm.FIELDS)
        return CompanyProfile(
            **self.common(),
            legal_name=self.legal_name.data or "",
            company_type=self.company_type.data,
            registration_number=self.registration_number.data,
            registration_date=self.registration_date.data,
            registration_country=self.registration_country.data,
            tax_residency_country=self.tax_residency_country.data,
            tax_number=self.tax_number.data,
            web_site=self.web_site.data,
            industry=self.industry.data,
            industry_other=self.industry_other.data,
            turnover=self.turnover.data,
            pay_ins_countries=_chosen(self.pay_ins_countries, detail),
            pay_outs_countries=_chosen(self.pay_outs_countries, detail),
            purposes_account_opening=_chosen(self.purposes_account_opening, detail),
            purposes_account_opening_other=self.purposes_account_opening_other.data,
            is_engaged_gambling_10k=self.is_engaged_gambling_10k.answer,
            is_foundation=self.is_foundation.answer,
            is_publicly_listed=self.is_publicly_listed.answer,
            is_relevant_activity=self.is_relevant_activity.answer,
            business_partners=_kept(partners or None, detail, "business_partners"),
            fund_flows=_kept(_said(_document(self.fund_flows.form, FlowsForm.FIELDS)), detail, "fund_flows"),
            compliance_evaluation=_kept(_said(evaluation), detail, "compliance_evaluation"),
            custom_options=detail.custom_options if detail is not None else None,
            related_individuals=tuple(form.person(stored) for form in people),
        )


def _chosen(field: Several, detail: Any) -> list[str] | None:
    """Nothing ticked over a stored "not stated" stays not stated."""
    if field.data or (detail is not None and getattr(detail, field.short_name) is not None):
        return list(field.data or [])
    return None


def _said(document: dict[str, Any]) -> dict[str, Any] | None:
    return document if any(value is not None for value in document.values()) else None


def _kept(written: Any, detail: Any, name: str) -> Any:
    """A document that says the same stays as it is stored, spelling and empty fields included."""
    stored = getattr(detail, name, None)
    return stored if _bare(stored) == _bare(written) else written


def _bare(value: Any) -> Any:
    """Without what is empty; numbers and texts alike."""
    if isinstance(value, dict):
        return {key: _bare(part) for key, part in value.items() if part not in (None, "")} or None
    if isinstance(value, list):
        return [_bare(part) for part in value if _bare(part)] or None
    return value


def form_for(
    client_type: str,
    client: Client | None = None,
    detail: Individual | Company | None = None,
    people: Sequence[RelatedIndividual] = (),
) -> ProfileForm:
    """The form of that type: as stored, and over it what the request posted."""
    form_class: type[ProfileForm] = CompanyForm if client_type == ClientType.COMPANY else IndividualForm
    if client is None or detail is None:
        return form_class()
    names = [column.name for column in detail.__table__.columns]
    values: dict[str, Any] = {name: getattr(detail, name) for name in names}
    values |= {name: getattr(client, name) for name in ("version", "email", "phone_number", "risk_level")}
    values["is_default_compliant"] = client.is_default_compliant
    values["address"] = AddressForm.stored(detail.address)
    if isinstance(detail, Individual):
        kept = {name.removeprefix("document_"): values[name] for name in names if name.startswith("document_")}
        kept["issued_country_code"] = kept.pop("issued_country")
        values["document"] = kept
    else:
        flows, evaluation = detail.fund_flows or {}, detail.compliance_evaluation or {}
        values["fund_flows"] = {ours: flows.get(theirs) for ours, theirs in FlowsForm.FIELDS.items()}
        values["compliance_evaluation"] = {o: evaluation.get(theirs) for o, theirs in EvaluationForm.FIELDS.items()}
        values["business_partners"] = [PartnerForm.stored(partner) for partner in detail.business_partners or []]
        values["related_individuals"] = [PersonForm.stored(row, n) for n, row in enumerate(people)]
    return form_class(data=values)


def leaves(form: Form, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every field that holds a value, with what people call it: `Related individual 2: Share, %`."""
    for field in form:
        if isinstance(field, FormField):
            yield from leaves(field.form, f"{prefix}{field.label.text}: ")
        elif isinstance(field, FieldList):
            for number, entry in enumerate(field, start=1):
                yield from leaves(entry.form, f"{prefix}{field.label.text.removesuffix('s')} {number}: ")
        else:
            yield f"{prefix}{field.label.text}", field


__all__ = ["MOST_PEOPLE", "CompanyForm", "IndividualForm", "ProfileForm", "form_for", "leaves"]
