"""The tables of the store, for SQLite and Postgres alike.

Every table that holds a tenant's data has `tenant_id` first in its primary key. Instants are whole
seconds since the epoch, UTC: SQLite would drop the time zone of a datetime. Used by `context.store`
and the stores of bookings and calls.
"""

import sqlalchemy as sa

SCHEMA_VERSION = 1
"""Raised by one with every change below, together with the migration that makes it."""

metadata = sa.MetaData()

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, primary_key=True))

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

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("call_id", sa.String, primary_key=True),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("language", sa.String, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("record", sa.Text, nullable=False, comment="CallRecord as JSON"),
    sa.Index("calls_by_start", "tenant_id", "started_at"),
)
