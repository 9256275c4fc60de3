"""Calls: their whole life, from ringing to the record."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_COMMENTS = {"caller": "E.164, or '' when it was not told", "node": "The process that carries it"}


def upgrade() -> None:
    """Make the tables. Calls that are stored already were of the voice socket, and are over."""
    columns = {"state": "ended", "channel": "websocket", "direction": "inbound"}
    for name in ("state", "channel", "direction", "persona_id", "caller", "node"):
        column = sa.Column(
            name,
            sa.String(),
            nullable=False,
            server_default=columns.get(name, ""),
            comment=_COMMENTS.get(name),
        )
        op.add_column("calls", column)
    _comment_on_record("CallRecord as JSON, '' until the call is over", instead_of="CallRecord as JSON")
    op.create_index("calls_by_state", "calls", ["state", "node"])
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("seen_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Processes that carry calls, and when each last said that it lives",
    )


def downgrade() -> None:
    """Drop them again, with everything in them. Calls that are not over cannot be told of in the older schema."""
    op.drop_table("nodes")
    op.execute("DELETE FROM calls WHERE record = ''")
    _comment_on_record("CallRecord as JSON", instead_of="CallRecord as JSON, '' until the call is over")
    op.drop_index("calls_by_state", table_name="calls")
    with op.batch_alter_table("calls") as batch:
        for name in ("node", "caller", "persona_id", "direction", "channel", "state"):
            batch.drop_column(name)


def _comment_on_record(comment: str, *, instead_of: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column("calls", "record", comment=comment, existing_comment=instead_of)
