"""The table of requests that carried an idempotency key. It holds nothing that can be read without that key."""

import sqlalchemy as sa

from context.store.metadata import metadata

idempotent_requests = sa.Table(
    "idempotent_requests",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("key_hash", sa.String, primary_key=True, comment="of the key and of who sent it"),
    sa.Column("request_hash", sa.String, nullable=False, comment="of method, path and body, keyed"),
    sa.Column("taken_at_ms", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.String, nullable=False, comment="who is at it, or was"),
    sa.Column("state", sa.String, nullable=False, comment="running, answered or unkept"),
    sa.Column("answer", sa.Text, nullable=False, comment="sealed with the key, base64"),
    sa.Index("idempotent_requests_by_time", "tenant_id", "taken_at_ms"),
)
