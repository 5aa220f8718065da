"""Programs of many concurrent transactions, and what profilers make of them."""
