"""Alerts: one open per check, pool, currency and cause; told again, they count."""
