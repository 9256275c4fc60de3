"""The demo tenant: YAML files in the shape of `context.tenants.config.TenantConfig`."""
