"""The tables of text conversations: where each stands, and what was said in it."""

import sqlalchemy as sa

from context.store.metadata import metadata

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("persona_id", sa.String, nullable=False),
    sa.Column("language", sa.String, nullable=False),
    sa.Column("turns", sa.Integer, nullable=False),
    sa.Column("memory", sa.Text, nullable=False, comment="What the agent knows, as its responder wrote it"),
    sa.Column("outcome", sa.String, nullable=False, comment="How it ends if it ends now"),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("started_at_ms", sa.BigInteger, nullable=False),
    sa.Column("said_at_ms", sa.BigInteger, nullable=False, comment="The last turn"),
    sa.Column("taken_until_ms", sa.BigInteger, nullable=False, comment="A turn is being answered until then"),
    sa.Index("conversations_by_last_turn", "tenant_id", "ended", "said_at_ms"),
)

conversation_turns = sa.Table(
    "conversation_turns",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("conversation_id", sa.String, primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("language", sa.String, nullable=False),
    sa.Column("actions", sa.Text, nullable=False, comment="JSON array of the tools that ran"),
    sa.Column("asked_at_ms", sa.BigInteger, nullable=False),
    sa.Column("answered_at_ms", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
    ),
)
