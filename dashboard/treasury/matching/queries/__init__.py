"""Reading matches, breaks and points.

equation(bank_account_id, day)      ledger + timing + breaks = statement
equations(views, day)               the same of several bank accounts, in as many queries as of one
open_items(bank_account_id, day)    sums of what is unmatched as of the end of a day; rows: items.open_rows
breaks(pool, currency, day)         how many breaks are unresolved, how old, how many without an owner
breaks_by_pool(day)                 the same of every pool and currency
matrix()                            breaks by currency and age
"""

from dashboard.treasury.matching.queries.break_rows import BreakCount, Cell, matrix
from dashboard.treasury.matching.queries.break_rows import by_pool as breaks_by_pool
from dashboard.treasury.matching.queries.break_rows import of_pool as breaks
from dashboard.treasury.matching.queries.points import Equation, OpenItems, equation, equations, open_items

__all__ = [
    "BreakCount", "Cell", "Equation", "OpenItems", "breaks", "breaks_by_pool", "equation", "equations", "matrix",
    "open_items",
]  # fmt: skip
