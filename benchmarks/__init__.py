"""Measurements of what callers feel, on recordings. Each module says what it measures and how to run it."""
