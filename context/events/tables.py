"""The tables of the event bus: what happened, what still has to be put in order, who has handled what.

An event is written once with the state change that caused it; a relay then gives it its place in the order of all
events (`position`) and one delivery for each subscriber. Written by `context.events.outbox` and `sequencer`, read by
`log`, `deliveries` and the personal-data provider.
"""

import sqlalchemy as sa

from context.store.metadata import metadata

events = sa.Table(
    "events",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("type", sa.String, nullable=False),
    sa.Column("occurred_at_s", sa.Double, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("correlation_id", sa.String, nullable=False),
    sa.Column("causation_id", sa.String, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False, comment="JSON"),
    sa.Column("published_at_ms", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=True, comment="Place in the order of all events; null until placed"),
    sa.Index("events_by_position", "position", unique=True),
    sa.Index("events_by_tenant_position", "tenant_id", "position"),
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
    # The whole server's order of publication: its key is a number that the database counts, not the tenant.
    info={"server_wide": True},
    comment="Events that are published and have no position yet",
)

event_positions = sa.Table(
    "event_positions",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    info={"server_wide": True},
    comment="The last position given; whoever places events holds this row, so positions appear in their order",
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
    sa.Index("event_deliveries_by_state", "subscriber", "state", "position"),
    sa.Index("event_deliveries_by_workflow", "workflow_id"),
)
