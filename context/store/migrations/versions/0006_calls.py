"""Calls: their whole life, from ringing to the record."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them again, with everything in them."""
