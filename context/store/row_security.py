"""Row security: Postgres itself hides the rows of other tenants, whatever statement is sent.

The second fence behind `TenantTransaction`: a statement that forgot its tenant, or a person with a connection, sees
nothing. Migrations call `row_security` for each table they make; `Store` says in each transaction whose it is. SQLite
has no such thing, there the statements alone keep tenants apart.
"""

from alembic import op

TENANT_SETTING = "parley.tenant"
"""Postgres setting that names the tenant of a transaction."""

EVERY_TENANT = "*"
"""Its value for housekeeping over all tenants. No tenant may be called this."""

POLICY = "parley_tenant"


def row_security(*tables: str) -> None:
    """Let each transaction see and write only its own tenant's rows of `tables`. For migrations; SQLite: nothing.

    Applies to the owner of the tables too. Superusers and roles with BYPASSRLS are not held back: Parley must not
    connect as one.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    # A setting that was local to an earlier transaction reads as '' afterwards, which must match nobody's rows.
    setting = f"nullif(current_setting('{TENANT_SETTING}', true), '')"
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {POLICY} ON {table} USING (tenant_id = {setting} OR {setting} = '{EVERY_TENANT}')")


def no_row_security(*tables: str) -> None:
    """Undo `row_security`, for downgrades of tables that stay. SQLite: nothing."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        op.execute(f"DROP POLICY {POLICY} ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
