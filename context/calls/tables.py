"""The tables of calls and of the processes that carry them."""

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
    sa.Column("record", sa.Text, nullable=False, comment="CallRecord as JSON, '' until the call is over"),
    sa.Column("state", sa.String, nullable=False, server_default="ended"),
    sa.Column("channel", sa.String, nullable=False, server_default="websocket"),
    sa.Column("direction", sa.String, nullable=False, server_default="inbound"),
    sa.Column("persona_id", sa.String, nullable=False, server_default=""),
    sa.Column("caller", sa.String, nullable=False, server_default="", comment="E.164, or '' when it was not told"),
    sa.Column("node", sa.String, nullable=False, server_default="", comment="The process that carries it"),
    sa.Index("calls_by_start", "tenant_id", "started_at"),
    sa.Index("calls_by_state", "state", "node"),
)

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("seen_at_s", sa.BigInteger, nullable=False),
    info={"server_wide": True},
    comment="Processes that carry calls, and when each last said that it lives",
)
