"""The REST interface on the API port: what a tenant's own systems, its pilots' pages and the operator ask for."""
