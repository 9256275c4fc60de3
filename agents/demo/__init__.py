"""The demo tenant: YAML files in the shape of `context.tenant.TenantConfig`."""
