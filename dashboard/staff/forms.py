"""Forms of staff."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField
from wtforms.validators import DataRequired, EqualTo, Length


class SignInForm(FlaskForm):
    email = EmailField("E-mail", validators=[DataRequired("Type your e-mail address."), Length(max=254)])
    password = PasswordField("Password", validators=[DataRequired("Type your password.")])


class ChangePasswordForm(FlaskForm):
    current = PasswordField(
        "Current password",
        validators=[DataRequired("Type your current password.")],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        validators=[DataRequired("Type a new password.")],
        description="At least 12 characters.",
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "New password again",
        validators=[EqualTo("new", "The two do not agree.")],
        render_kw={"autocomplete": "new-password"},
    )
