"""The table of finished calls."""

import sqlalchemy as sa

from context.store.metadata import metadata

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("call_id", sa.String, primary_key=True),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("language", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("record", sa.Text, nullable=False, comment="CallRecord as JSON"),
    sa.Index("calls_by_start", "tenant_id", "started_at"),
)
