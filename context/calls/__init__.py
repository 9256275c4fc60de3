"""Calls, from their first ring to their record."""
