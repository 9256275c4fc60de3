"""Keys, users, secrets, limits and the audit log."""
