"""Forms of clients: what a page sends, checked and turned into what a service takes."""

from dashboard.clients.forms.blocks import BlockForm, StateReasonForm
from dashboard.clients.forms.listing import FilterError, ListQuery
from dashboard.clients.forms.profiles import CompanyForm, IndividualForm, ProfileForm, form_for, leaves
from dashboard.clients.forms.reasons import NoteForm, ReasonForm, SettleForm

__all__ = [
    "BlockForm",
    "CompanyForm",
    "FilterError",
    "IndividualForm",
    "ListQuery",
    "NoteForm",
    "ProfileForm",
    "ReasonForm",
    "SettleForm",
    "StateReasonForm",
    "form_for",
    "leaves",
]
