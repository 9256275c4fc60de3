"""Tenants: their configuration, state, numbers and origins, and what is left of those that were removed."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, comment="TenantState"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="One more with every change, of state too"),
        sa.Column("config", sa.Text(), nullable=False, comment="TenantConfig as JSON"),
        sa.Column("plan", sa.String(), nullable=False, comment="As in the configuration, to count by"),
        sa.Column("trial_ends_at_s", sa.BigInteger(), nullable=True),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_s", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False, comment="Why it is in this state, as whoever changed it said"),
        sa.PrimaryKeyConstraint("tenant_id"),
    )
    op.create_table(
        "tenant_numbers",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "number"),
        sa.UniqueConstraint("number", name="tenant_numbers_of_one_tenant"),
        comment="Numbers in the configurations: the constraint makes a second tenant of a number impossible",
    )
    op.create_table(
        "removal_steps",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False, comment="A table, or belongings"),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "step"),
        comment="What was removed so far of tenants that are being deleted",
    )
    op.create_table(
        "removed_tenants",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False, comment="RemovalCertificate as JSON"),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="Tenants that were removed: that an id is not used again, and what proves the removal",
        info={"server_wide": True},
    )
    row_security("tenants", "tenant_numbers", "removal_steps")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("removed_tenants")
    op.drop_table("removal_steps")
    op.drop_table("tenant_numbers")
    op.drop_table("tenants")
