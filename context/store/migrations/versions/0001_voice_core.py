"""Parley 0.1: bookings and calls."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bookings",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("service_id", sa.String(), nullable=False),
        sa.Column("starts_at_s", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("notes", sa.String(), nullable=False),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at_s", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("bookings_by_call", "bookings", ["tenant_id", "call_id"], unique=False)
    op.create_index("bookings_by_start", "bookings", ["tenant_id", "starts_at_s"], unique=False)
    op.create_table(
        "calendars",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="One row a tenant, locked by whoever changes its bookings",
    )
    op.create_table(
        "calls",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False, comment="CallRecord as JSON"),
        sa.PrimaryKeyConstraint("tenant_id", "call_id"),
    )
    op.create_index("calls_by_start", "calls", ["tenant_id", "started_at"], unique=False)
    op.create_table(
        "booked_grains",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("grain", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
        ),
        sa.PrimaryKeyConstraint("tenant_id", "grain"),
        comment="Five minutes sold once: the primary key is what makes a double sale impossible",
    )
    op.create_index("booked_grains_by_booking", "booked_grains", ["tenant_id", "booking_id"], unique=False)


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_index("booked_grains_by_booking", table_name="booked_grains")
    op.drop_table("booked_grains")
    op.drop_index("calls_by_start", table_name="calls")
    op.drop_table("calls")
    op.drop_table("calendars")
    op.drop_index("bookings_by_start", table_name="bookings")
    op.drop_index("bookings_by_call", table_name="bookings")
    op.drop_table("bookings")
