"""Work that a person must look at, with a due time on the business-day clock.

A queue item knows its object by type and id only; the domain that opened it closes it. Queues are data:
`client-review`, `activation` and `block-review` today.
"""
