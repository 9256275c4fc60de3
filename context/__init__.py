"""What outlives a call: tenants, configuration, the store and the event bus."""
