"""The names under which the rest of Parley knows a tenant's file and the directory of all tenants."""

from context.tenants.directory import TenantDirectory
from context.tenants.tenant_file import key_digest, load_tenant

__all__ = ["TenantDirectory", "key_digest", "load_tenant"]
