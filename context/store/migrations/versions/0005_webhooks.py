"""Webhooks: endpoints and their delivery log."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "webhook_endpoints",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False, comment="Patterns of event types, a JSON list"),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="Counts changes: the ETag"),
        sa.Column("secret_id", sa.String(), nullable=False, comment="Which secret of the vault signs"),
        sa.Column("previous_secret_id", sa.String(), nullable=False, comment="Signs too until previous_until_ms"),
        sa.Column("previous_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("failing_since_ms", sa.BigInteger(), nullable=True, comment="First delivery lost since one arrived"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False, comment="Sorts by time"),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False, comment="The call, for erasure"),
        sa.Column("contact_id", sa.String(), nullable=False, comment="The person, for erasure"),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=False, comment="The process that is sending it, or ''"),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"],
            ["webhook_endpoints.tenant_id", "webhook_endpoints.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        comment="Ids only: the event itself is read when it is sent, so that an erased one is not sent",
    )
    op.create_index("webhook_deliveries_by_call", "webhook_deliveries", ["tenant_id", "correlation_id"], unique=False)
    op.create_index(
        "webhook_deliveries_by_endpoint", "webhook_deliveries", ["tenant_id", "endpoint_id", "id"], unique=False
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["state", "due_at_ms"], unique=False)
    op.create_table(
        "webhook_attempts",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="From 1"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status, empty without an answer"),
        sa.Column("error", sa.String(), nullable=False, comment="Why there is no answer, or ''"),
        sa.Column("response", sa.Text(), nullable=False, comment="How the answer begins, e-mails and numbers masked"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["webhook_deliveries.tenant_id", "webhook_deliveries.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", "attempt"),
    )
    row_security("webhook_endpoints", "webhook_deliveries", "webhook_attempts")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("webhook_attempts")
    op.drop_index("webhook_deliveries_due", table_name="webhook_deliveries")
    op.drop_index("webhook_deliveries_by_endpoint", table_name="webhook_deliveries")
    op.drop_index("webhook_deliveries_by_call", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_endpoints")
