"""Webhooks: what happened to a tenant, told to the tenant's own systems, signed."""
