"""The tables of appointments. The primary key of `booked_grains` is what makes a double sale impossible."""

import sqlalchemy as sa

from context.store.metadata import metadata

calendars = sa.Table(
    "calendars",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    comment="One row a tenant, locked by whoever changes its bookings",
)

bookings = sa.Table(
    "bookings",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("call_id", sa.String, nullable=False),
    sa.Column("service_id", sa.String, nullable=False),
    sa.Column("starts_at_s", sa.BigInteger, nullable=False),
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("phone", sa.String, nullable=False),
    sa.Column("email", sa.String, nullable=False, default=""),
    sa.Column("notes", sa.String, nullable=False, default=""),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Column("cancelled_at_s", sa.BigInteger, nullable=True),
    sa.Index("bookings_by_start", "tenant_id", "starts_at_s"),
    sa.Index("bookings_by_call", "tenant_id", "call_id"),
)

booked_grains = sa.Table(
    "booked_grains",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("grain", sa.BigInteger, primary_key=True),
    sa.Column("booking_id", sa.String, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "booking_id"], ["bookings.tenant_id", "bookings.id"]),
    sa.Index("booked_grains_by_booking", "tenant_id", "booking_id"),
    comment="Five minutes sold once: the primary key is what makes a double sale impossible",
)
