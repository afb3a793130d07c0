"""The treasury day of a pool and currency: prepared by one, signed by another, reopened when something comes late."""
