"""The store: row security for the tables of Parley 0.1, erasures, retention."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import no_row_security, row_security

revision = "0002"
down_revision = "0001"

# Here and not in 0001: databases of Parley 0.1 have these tables already and never run that step.
OLD_TABLES = ("bookings", "calendars", "calls", "booked_grains")


def upgrade() -> None:
    """Make the tables."""
    row_security(*OLD_TABLES)
    op.create_table(
        "erasures",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("subject_hash", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="Subject as JSON, '' when nothing is left to do for it"
        ),
        sa.Column("files", sa.Text(), nullable=False, comment="Files to remove, below the recordings, as JSON"),
        sa.Column("counts", sa.Text(), nullable=False, comment="Provider -> rows changed, as JSON"),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "subject_hash"),
    )
    op.create_index("erasures_by_state", "erasures", ["state"], unique=False)
    op.create_table(
        "retentions",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("expired_before_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="Up to which moment a tenant's history has been removed for its age",
    )
    row_security("erasures", "retentions")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("retentions")
    op.drop_index("erasures_by_state", table_name="erasures")
    op.drop_table("erasures")
    no_row_security(*OLD_TABLES)
