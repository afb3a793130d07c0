"""HTTP and nothing about banking: pages or fragments, errors, paging, headers, the result envelope."""
