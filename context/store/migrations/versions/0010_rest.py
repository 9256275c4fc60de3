"""REST: idempotency keys, text conversations."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "conversations",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("persona_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("memory", sa.Text(), nullable=False, comment="What the agent knows, as its responder wrote it"),
        sa.Column("outcome", sa.String(), nullable=False, comment="How it ends if it ends now"),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("said_at_ms", sa.BigInteger(), nullable=False, comment="The last turn"),
        sa.Column("taken_until_ms", sa.BigInteger(), nullable=False, comment="A turn is being answered until then"),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("conversations_by_last_turn", "conversations", ["tenant_id", "ended", "said_at_ms"], unique=False)
    op.create_table(
        "idempotent_requests",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False, comment="of the key and of who sent it"),
        sa.Column("request_hash", sa.String(), nullable=False, comment="of method, path and body, keyed"),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.String(), nullable=False, comment="who is at it, or was"),
        sa.Column("state", sa.String(), nullable=False, comment="running, answered or unkept"),
        sa.Column("answer", sa.Text(), nullable=False, comment="sealed with the key, base64"),
        sa.PrimaryKeyConstraint("tenant_id", "key_hash"),
    )
    op.create_index("idempotent_requests_by_time", "idempotent_requests", ["tenant_id", "taken_at_ms"], unique=False)
    op.create_table(
        "conversation_turns",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False, comment="JSON array of the tools that ran"),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "conversation_id", "turn"),
    )
    row_security("conversations", "idempotent_requests", "conversation_turns")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("conversation_turns")
    op.drop_index("idempotent_requests_by_time", table_name="idempotent_requests")
    op.drop_table("idempotent_requests")
    op.drop_index("conversations_by_last_turn", table_name="conversations")
    op.drop_table("conversations")
