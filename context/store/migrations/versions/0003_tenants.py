"""Tenants: their configuration, state, numbers and origins."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them again, with everything in them."""
