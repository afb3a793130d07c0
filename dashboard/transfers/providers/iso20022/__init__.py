"""ISO 20022 messages: payments out (pain.001), their status (pain.002), and what the bank booked (camt.05x)."""
