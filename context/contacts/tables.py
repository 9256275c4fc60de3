"""The tables of contacts and context boxes.

A box is kept whole as JSON beside the columns that are searched; each change adds a version. The primary key of
`contact_points` is what makes one person out of two calls that arrive at the same time.
"""

import sqlalchemy as sa

from context.store.metadata import metadata

contact_desks = sa.Table(
    "contact_desks",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    comment="One row a tenant, locked by whoever changes its contacts and boxes",
)

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("names", sa.Text, nullable=False, comment="JSON list, the newest first"),
    sa.Column("search_text", sa.Text, nullable=False, comment="The names, case-folded"),
    sa.Column("languages", sa.Text, nullable=False, comment="JSON list"),
    sa.Column("consents", sa.Text, nullable=False, comment="JSON list of Consent"),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_ms", sa.BigInteger, nullable=False),
    sa.Column("merged_into", sa.String, nullable=False, comment="'' or the contact that this one was found to be"),
    sa.Index("contacts_by_age", "tenant_id", "created_ms", "id"),
    sa.Index("contacts_by_merge", "tenant_id", "merged_into"),
)

contact_points = sa.Table(
    "contact_points",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True, comment="PointKind"),
    sa.Column("value", sa.String, primary_key=True, comment="E.164, normalised e-mail address or id of another system"),
    sa.Column("contact_id", sa.String, nullable=False),
    sa.Column("added_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    sa.Index("contact_points_by_contact", "tenant_id", "contact_id"),
    comment="A number or address belongs to one contact of a tenant",
)

contact_calls = sa.Table(
    "contact_calls",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("call_id", sa.String, primary_key=True),
    sa.Column("contact_id", sa.String, nullable=False),
    sa.Column("linked_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    sa.Index("contact_calls_by_contact", "tenant_id", "contact_id"),
)

contact_merges = sa.Table(
    "contact_merges",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("merged_id", sa.String, primary_key=True),
    sa.Column("into_id", sa.String, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("before", sa.Text, nullable=False, comment="JSON of MergeRecord: both as they were, to undo it by hand"),
    sa.ForeignKeyConstraint(["tenant_id", "merged_id"], ["contacts.tenant_id", "contacts.id"]),
    sa.Index("contact_merges_by_winner", "tenant_id", "into_id"),
)

context_boxes = sa.Table(
    "context_boxes",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("contact_id", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False, comment="BoxState"),
    sa.Column("activity_ms", sa.BigInteger, nullable=False),
    sa.Column("stale_ms", sa.BigInteger, nullable=False, comment="When it was found stale; 0 while it is fresh"),
    sa.Column("box", sa.Text, nullable=False, comment="JSON of ContextBox"),
    sa.ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    sa.Index("context_boxes_by_activity", "stale_ms", "activity_ms"),
)

context_versions = sa.Table(
    "context_versions",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("contact_id", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("change", sa.String, nullable=False),
    sa.Column("box", sa.Text, nullable=False, comment="JSON of ContextBox after the change"),
    sa.ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    comment="The newest versions of each box",
)

tenant_memory = sa.Table(
    "tenant_memory",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("contact_id", sa.String, primary_key=True),
    sa.Column("fact_id", sa.String, primary_key=True),
    sa.Column("type", sa.String, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float(53), nullable=False),
    sa.Column("call_id", sa.String, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("promoted_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    sa.Index("tenant_memory_by_type", "tenant_id", "type"),
    comment="Facts that are sure enough to be known to the whole tenant",
)
