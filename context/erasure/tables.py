"""The tables of erasure: each person's erasure while it goes on and its certificate afterwards; how far age removed."""

import sqlalchemy as sa

from context.store.metadata import metadata

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("subject_hash", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, comment="Subject as JSON, '' when nothing is left to do for it"),
    sa.Column("files", sa.Text, nullable=False, comment="Files to remove, below the recordings, as JSON"),
    sa.Column("counts", sa.Text, nullable=False, comment="Provider -> rows changed, as JSON"),
    sa.Column("requested_at_ms", sa.BigInteger, nullable=False),
    sa.Column("completed_at_ms", sa.BigInteger, nullable=True),
    sa.Index("erasures_by_state", "state"),
)

retentions = sa.Table(
    "retentions",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("expired_before_s", sa.BigInteger, nullable=False),
    comment="Up to which moment a tenant's history has been removed for its age",
)
