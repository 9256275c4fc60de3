"""The event bus: events, deliveries, dead letters."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "event_relay",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="One row, held by whoever places or claims events",
    )
    op.create_table(
        "event_subscribers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False, comment="JSON list of patterns"),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="Who gets a delivery of each event, whichever process places it",
    )
    op.create_table(
        "event_workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Processes that run handlers; one that is not seen any more has its work taken over",
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("occurred_at_s", sa.Float(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("causation_id", sa.String(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("events_by_age", "events", ["published_at_ms"], unique=False)
    op.create_index("events_by_correlation", "events", ["tenant_id", "correlation_id"], unique=False)
    op.create_table(
        "unplaced_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        comment="Events that are published and have no place yet",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_deliveries",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("subscriber", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, comment="DeliveryState"),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False, comment="Events of one lane are handled one after the other"),
        sa.Column("round", sa.Integer(), nullable=False, comment="0, and one more at each replay"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="In this round"),
        sa.Column("workflow_id", sa.String(), nullable=False, comment="What handles it now, or handled it last"),
        sa.Column("error_class", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False, comment="Redacted"),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "event_id", "subscriber"),
    )
    op.create_index("event_deliveries_by_workflow", "event_deliveries", ["workflow_id"], unique=False)
    op.create_index(
        "event_deliveries_to_do", "event_deliveries", ["subscriber", "state", "tenant_id", "position"], unique=False
    )
    op.create_table(
        "event_places",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "position"),
        comment="The order of all events: positions become visible in rising order",
    )
    op.create_index("event_places_by_event", "event_places", ["tenant_id", "event_id"], unique=True)
    op.create_index("event_places_by_position", "event_places", ["position"], unique=True)
    row_security("events", "unplaced_events", "event_places", "event_deliveries")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_index("event_places_by_position", table_name="event_places")
    op.drop_index("event_places_by_event", table_name="event_places")
    op.drop_table("event_places")
    op.drop_index("event_deliveries_to_do", table_name="event_deliveries")
    op.drop_index("event_deliveries_by_workflow", table_name="event_deliveries")
    op.drop_table("event_deliveries")
    op.drop_table("unplaced_events")
    op.drop_index("events_by_correlation", table_name="events")
    op.drop_index("events_by_age", table_name="events")
    op.drop_table("events")
    op.drop_table("event_workers")
    op.drop_table("event_subscribers")
    op.drop_table("event_relay")
