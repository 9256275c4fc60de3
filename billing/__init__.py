"""Plans, usage, ledger, invoices, revenue and conversions."""
