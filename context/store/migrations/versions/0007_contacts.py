"""Contacts and context boxes."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "contact_desks",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="One row a tenant, locked by whoever changes its contacts and boxes",
    )
    op.create_table(
        "contacts",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False, comment="JSON list, the newest first"),
        sa.Column("search_text", sa.Text(), nullable=False, comment="The names, case-folded"),
        sa.Column("languages", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("consents", sa.Text(), nullable=False, comment="JSON list of Consent"),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "merged_into", sa.String(), nullable=False, comment="'' or the contact that this one was found to be"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("contacts_by_age", "contacts", ["tenant_id", "created_ms", "id"], unique=False)
    op.create_index("contacts_by_merge", "contacts", ["tenant_id", "merged_into"], unique=False)
    op.create_table(
        "contact_calls",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("linked_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "call_id"),
    )
    op.create_index("contact_calls_by_contact", "contact_calls", ["tenant_id", "contact_id"], unique=False)
    op.create_table(
        "contact_merges",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("merged_id", sa.String(), nullable=False),
        sa.Column("into_id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "before", sa.Text(), nullable=False, comment="JSON of MergeRecord: both as they were, to undo it by hand"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "merged_id"),
    )
    op.create_index("contact_merges_by_winner", "contact_merges", ["tenant_id", "into_id"], unique=False)
    op.create_table(
        "contact_points",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False, comment="PointKind"),
        sa.Column(
            "value", sa.String(), nullable=False, comment="E.164, normalised e-mail address or id of another system"
        ),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "value"),
        comment="A number or address belongs to one contact of a tenant",
    )
    op.create_index("contact_points_by_contact", "contact_points", ["tenant_id", "contact_id"], unique=False)
    op.create_table(
        "context_boxes",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, comment="BoxState"),
        sa.Column("activity_ms", sa.BigInteger(), nullable=False),
        sa.Column("stale_ms", sa.BigInteger(), nullable=False, comment="When it was found stale; 0 while it is fresh"),
        sa.Column("box", sa.Text(), nullable=False, comment="JSON of ContextBox"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id"),
    )
    op.create_index("context_boxes_by_activity", "context_boxes", ["stale_ms", "activity_ms"], unique=False)
    op.create_table(
        "context_versions",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False, comment="JSON of ContextBox after the change"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id", "version"),
        comment="The newest versions of each box",
    )
    op.create_table(
        "tenant_memory",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("fact_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("promoted_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contact_id"],
            ["contacts.tenant_id", "contacts.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id", "fact_id"),
        comment="Facts that are sure enough to be known to the whole tenant",
    )
    op.create_index("tenant_memory_by_type", "tenant_memory", ["tenant_id", "type"], unique=False)
    row_security(
        "contact_desks",
        "contacts",
        "contact_points",
        "contact_calls",
        "contact_merges",
        "context_boxes",
        "context_versions",
        "tenant_memory",
    )


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_index("tenant_memory_by_type", table_name="tenant_memory")
    op.drop_table("tenant_memory")
    op.drop_table("context_versions")
    op.drop_index("context_boxes_by_activity", table_name="context_boxes")
    op.drop_table("context_boxes")
    op.drop_index("contact_points_by_contact", table_name="contact_points")
    op.drop_table("contact_points")
    op.drop_index("contact_merges_by_winner", table_name="contact_merges")
    op.drop_table("contact_merges")
    op.drop_index("contact_calls_by_contact", table_name="contact_calls")
    op.drop_table("contact_calls")
    op.drop_index("contacts_by_merge", table_name="contacts")
    op.drop_index("contacts_by_age", table_name="contacts")
    op.drop_table("contacts")
    op.drop_table("contact_desks")
