"""The tables of webhooks: endpoints, what is to be delivered to them, and every attempt to do so."""

import sqlalchemy as sa

from context.store.metadata import metadata

webhook_endpoints = sa.Table(
    "webhook_endpoints",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("types", sa.Text, nullable=False, comment="Patterns of event types, a JSON list"),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, comment="Counts changes: the ETag"),
    sa.Column("secret_id", sa.String, nullable=False, comment="Which secret of the vault signs"),
    sa.Column("previous_secret_id", sa.String, nullable=False, comment="Signs too until previous_until_ms"),
    sa.Column("previous_until_ms", sa.BigInteger, nullable=False),
    sa.Column("failing_since_ms", sa.BigInteger, nullable=True, comment="First delivery lost since one arrived"),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True, comment="Sorts by time"),
    sa.Column("endpoint_id", sa.String, nullable=False),
    sa.Column("event_id", sa.String, nullable=False),
    sa.Column("event_type", sa.String, nullable=False),
    sa.Column("correlation_id", sa.String, nullable=False, comment="The call, for erasure"),
    sa.Column("contact_id", sa.String, nullable=False, comment="The person, for erasure"),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("due_at_ms", sa.BigInteger, nullable=False),
    sa.Column("lease_owner", sa.String, nullable=False, comment="The process that is sending it, or ''"),
    sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "endpoint_id"], ["webhook_endpoints.tenant_id", "webhook_endpoints.id"]),
    sa.Index("webhook_deliveries_due", "state", "due_at_ms"),
    sa.Index("webhook_deliveries_by_endpoint", "tenant_id", "endpoint_id", "id"),
    sa.Index("webhook_deliveries_by_call", "tenant_id", "correlation_id"),
    comment="Ids only: the event itself is read when it is sent, so that an erased one is not sent",
)

webhook_attempts = sa.Table(
    "webhook_attempts",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("delivery_id", sa.String, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, comment="From 1"),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer, nullable=True, comment="HTTP status, empty without an answer"),
    sa.Column("error", sa.String, nullable=False, comment="Why there is no answer, or ''"),
    sa.Column("response", sa.Text, nullable=False, comment="How the answer begins, e-mails and numbers masked"),
    sa.ForeignKeyConstraint(["tenant_id", "delivery_id"], ["webhook_deliveries.tenant_id", "webhook_deliveries.id"]),
)
