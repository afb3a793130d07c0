"""Imports from partners' onboarding systems."""
