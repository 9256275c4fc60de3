"""Users: accounts, sessions, connections to outside services."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "connections",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False, comment="Granted, separated by spaces"),
        sa.Column("connected_by", sa.String(), nullable=False),
        sa.Column("connected_at_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_s", sa.BigInteger(), nullable=False, comment="Of the access token"),
        sa.Column("generation", sa.BigInteger(), nullable=False, comment="Of the tokens in the vault"),
        sa.Column("lease", sa.String(), nullable=False, comment="Who refreshes at the moment; or empty"),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "provider"),
    )
    op.create_table(
        "identities",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
        info={"server_wide": True},
    )
    op.create_index("identities_by_user", "identities", ["user_id"], unique=False)
    op.create_table(
        "login_providers",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_auth", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False, comment="Separated by spaces"),
        sa.Column("joins_as", sa.String(), nullable=False, comment="Role of somebody new; empty: nobody new gets in"),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name"),
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id"),
    )
    op.create_index("memberships_by_user", "memberships", ["user_id"], unique=False)
    op.create_table(
        "oauth_states",
        sa.Column("state_hash", sa.String(), nullable=False, comment="SHA-256 of the state parameter"),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False, comment="Whose provider; empty for the server's"),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False, comment="Who started it; empty when nobody was signed in"),
        sa.Column(
            "browser_hash", sa.String(), nullable=False, comment="SHA-256 of the cookie of the browser that started"
        ),
        sa.Column("invitation_hash", sa.String(), nullable=False, comment="Invitation to accept; or empty"),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False, comment="PKCE; emptied when used"),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("return_to", sa.String(), nullable=False),
        sa.Column("expires_at_s", sa.BigInteger(), nullable=False),
        sa.Column("used_at_s", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("state_hash"),
        info={"server_wide": True},
    )
    op.create_table(
        "one_time_links",
        sa.Column("link_hash", sa.String(), nullable=False, comment="SHA-256 of the token in the link"),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False, comment="Of an invitation; else empty"),
        sa.Column("user_id", sa.String(), nullable=False, comment="Whose password; empty for an invitation"),
        sa.Column("role", sa.String(), nullable=False, comment="Of an invitation; else empty"),
        sa.Column("note", sa.String(), nullable=False, comment="Whom an invitation is meant for"),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("link_hash"),
        info={"server_wide": True},
    )
    op.create_index("one_time_links_by_tenant", "one_time_links", ["tenant_id"], unique=False)
    op.create_index("one_time_links_by_user", "one_time_links", ["user_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.String(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False, comment="Chosen; empty while none is"),
        sa.Column(
            "only_tenant_id", sa.String(), nullable=False, comment="Signed in by this tenant's own provider; or empty"
        ),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash"),
        info={"server_wide": True},
    )
    op.create_index("sessions_by_user", "sessions", ["user_id"], unique=False)
    op.create_table(
        "staffs",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="One row a tenant, locked by whoever changes who works for it",
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True, comment="Sign-in name, lower case"),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("password", sa.String(), nullable=True, comment="argon2id; none for who signs in elsewhere only"),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("password_changed_at_s", sa.BigInteger(), nullable=True),
        sa.Column("signed_in_at_s", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("email"),
        info={"server_wide": True},
    )
    row_security("staffs", "memberships", "login_providers", "connections")


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("users")
    op.drop_table("staffs")
    op.drop_index("sessions_by_user", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("one_time_links_by_user", table_name="one_time_links")
    op.drop_index("one_time_links_by_tenant", table_name="one_time_links")
    op.drop_table("one_time_links")
    op.drop_table("oauth_states")
    op.drop_index("memberships_by_user", table_name="memberships")
    op.drop_table("memberships")
    op.drop_table("login_providers")
    op.drop_index("identities_by_user", table_name="identities")
    op.drop_table("identities")
    op.drop_table("connections")
