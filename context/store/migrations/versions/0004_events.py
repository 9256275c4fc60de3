"""The event bus: events, deliveries, dead letters."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them again, with everything in them."""
