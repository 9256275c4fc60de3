"""The tables of tenants that are made by command or API, and of what is left of those that were removed."""

import sqlalchemy as sa

from context.store.metadata import metadata

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False, comment="TenantState"),
    sa.Column("version", sa.BigInteger, nullable=False, comment="One more with every change, of state too"),
    sa.Column("config", sa.Text, nullable=False, comment="TenantConfig as JSON"),
    sa.Column("plan", sa.String, nullable=False, comment="As in the configuration, to count by"),
    sa.Column("trial_ends_at_s", sa.BigInteger, nullable=True),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Column("changed_at_s", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String, nullable=False, comment="Why it is in this state, as whoever changed it said"),
)

tenant_numbers = sa.Table(
    "tenant_numbers",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("number", sa.String, primary_key=True),
    sa.UniqueConstraint("number", name="tenant_numbers_of_one_tenant"),
    comment="Numbers in the configurations: the constraint makes a second tenant of a number impossible",
)

removal_steps = sa.Table(
    "removal_steps",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("step", sa.String, primary_key=True, comment="A table, or belongings"),
    sa.Column("removed", sa.BigInteger, nullable=False),
    comment="What was removed so far of tenants that are being deleted",
)

removed_tenants = sa.Table(
    "removed_tenants",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("certificate", sa.Text, nullable=False, comment="RemovalCertificate as JSON"),
    # It outlives the tenant, and so is not the tenant's.
    info={"server_wide": True},
    comment="Tenants that were removed: that an id is not used again, and what proves the removal",
)
