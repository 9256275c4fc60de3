"""Events sent to the tenants' own servers, signed and retried."""
