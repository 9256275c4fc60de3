"""The tables of the event bus: what happened, in which order, and who has handled what.

An event is written once, with the state change that caused it; a relay then gives it its place in the order of all
events and makes one delivery for each subscriber. Written by `context.events.outbox`, `relay`, `delivery` and `replay`.
"""

import sqlalchemy as sa

from context.store.metadata import metadata

events = sa.Table(
    "events",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("type", sa.String, nullable=False),
    sa.Column("occurred_at_s", sa.Float, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("correlation_id", sa.String, nullable=False),
    sa.Column("causation_id", sa.String, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False, comment="JSON"),
    sa.Column("published_at_ms", sa.BigInteger, nullable=False),
    sa.Index("events_by_correlation", "tenant_id", "correlation_id"),
    sa.Index("events_by_age", "published_at_ms"),
)

unplaced_events = sa.Table(
    "unplaced_events",
    metadata,
    sa.Column(
        "sequence",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        sa.Identity(),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("tenant_id", sa.String, nullable=False),
    sa.Column("event_id", sa.String, nullable=False),
    sqlite_autoincrement=True,
    # Keyed by a number that the database counts over all tenants: it says what was published first.
    info={"server_wide": True},
    comment="Events that are published and have no place yet",
)

event_places = sa.Table(
    "event_places",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.String, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
    sa.Index("event_places_by_position", "position", unique=True),
    sa.Index("event_places_by_event", "tenant_id", "event_id", unique=True),
    comment="The order of all events: positions become visible in rising order",
)

event_relay = sa.Table(
    "event_relay",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("last_position", sa.BigInteger, nullable=False),
    info={"server_wide": True},
    comment="One row, held by whoever places or claims events",
)

event_subscribers = sa.Table(
    "event_subscribers",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("types", sa.Text, nullable=False, comment="JSON list of patterns"),
    sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
    info={"server_wide": True},
    comment="Who gets a delivery of each event, whichever process places it",
)

event_workers = sa.Table(
    "event_workers",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
    info={"server_wide": True},
    comment="Processes that run handlers; one that is not seen any more has its work taken over",
)

event_deliveries = sa.Table(
    "event_deliveries",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("event_id", sa.String, primary_key=True),
    sa.Column("subscriber", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False, comment="DeliveryState"),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("lane", sa.String, nullable=False, comment="Events of one lane are handled one after the other"),
    sa.Column("round", sa.Integer, nullable=False, comment="0, and one more at each replay"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="In this round"),
    sa.Column("workflow_id", sa.String, nullable=False, comment="What handles it now, or handled it last"),
    sa.Column("error_class", sa.String, nullable=False),
    sa.Column("error", sa.Text, nullable=False, comment="Redacted"),
    sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"], ondelete="CASCADE"),
    sa.Index("event_deliveries_to_do", "subscriber", "state", "tenant_id", "position"),
    sa.Index("event_deliveries_by_workflow", "workflow_id"),
)
