"""Who is served: tenants, their configuration, how they come and go."""
