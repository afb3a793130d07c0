"""Forms of positions."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from dashboard.money import DECIMALS
from dashboard.treasury.positions.vocabulary import THRESHOLD_LABELS, ThresholdKind
from dashboard.treasury.vocabulary import POOL_LABELS, Pool


class ThresholdForm(FlaskForm):
    """An amount left empty: no alert."""

    pool = SelectField(
        "Pool", choices=[(pool.value, POOL_LABELS[pool]) for pool in Pool], id="threshold-pool"
    )  # fmt: skip
    currency = SelectField(
        "Currency", choices=[(code, code.upper()) for code in DECIMALS], default="eur", id="threshold-currency"
    )
    kind = SelectField(
        "Alert when", choices=[(kind.value, THRESHOLD_LABELS[kind]) for kind in ThresholdKind], id="threshold-kind"
    )
    amount = StringField("Amount", validators=[Length(max=40)], id="threshold-amount")
    reason = TextAreaField(
        "Why",
        filters=[lambda text: (text or "").strip() or None],
        validators=[InputRequired("Say why."), Length(max=2000, message="Use at most 2000 characters.")],
        id="threshold-reason",
        render_kw={"rows": 2},
    )
