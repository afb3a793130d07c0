"""The pages of covers; they stand under the blueprint of the register."""

from dashboard.treasury.cover.pages import asking, listing

__all__ = ["asking", "listing"]
