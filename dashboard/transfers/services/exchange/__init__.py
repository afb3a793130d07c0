"""Exchange: reference rates, margins, quotes, and the transfer that carries a quote out."""
