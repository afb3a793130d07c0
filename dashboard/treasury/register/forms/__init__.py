"""Forms and filters of the register."""
