"""The tables of people. An account may work for several tenants, so it belongs to none; its memberships do.

Nothing that opens a door is stored: passwords as argon2id, sessions, links and states as SHA-256 of random text,
tokens of outside services in the vault.
"""

import sqlalchemy as sa

from context.store.metadata import metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", sa.String, primary_key=True),
    sa.Column("email", sa.String, nullable=True, unique=True, comment="Sign-in name, lower case"),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("standing", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("password", sa.String, nullable=True, comment="argon2id; none for who signs in elsewhere only"),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Column("password_changed_at_s", sa.BigInteger, nullable=True),
    sa.Column("signed_in_at_s", sa.BigInteger, nullable=True),
    info={"server_wide": True},  # people, who may work for several tenants
)

staffs = sa.Table(
    "staffs",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    comment="One row a tenant, locked by whoever changes who works for it",
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("user_id", sa.String, primary_key=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Index("memberships_by_user", "user_id"),
)

identities = sa.Table(
    "identities",
    metadata,
    # Whose provider vouches: "" for the server's own. The same issuer, named by a tenant, is another identity, or a
    # tenant could sign in as people of other tenants.
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("issuer", sa.String, primary_key=True),
    sa.Column("subject", sa.String, primary_key=True),
    sa.Column("user_id", sa.String, nullable=False),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Index("identities_by_user", "user_id"),
    info={"server_wide": True},  # asked before it is known who somebody is
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("session_hash", sa.String, primary_key=True, comment="SHA-256 of the cookie"),
    sa.Column("user_id", sa.String, nullable=False),
    sa.Column("tenant_id", sa.String, nullable=False, comment="Chosen; empty while none is"),
    sa.Column("only_tenant_id", sa.String, nullable=False, comment="Signed in by this tenant's own provider; or empty"),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Column("seen_at_s", sa.BigInteger, nullable=False),
    sa.Index("sessions_by_user", "user_id"),
    info={"server_wide": True},  # asked before it is known who somebody is
)

one_time_links = sa.Table(
    "one_time_links",
    metadata,
    sa.Column("link_hash", sa.String, primary_key=True, comment="SHA-256 of the token in the link"),
    sa.Column("purpose", sa.String, nullable=False),
    sa.Column("tenant_id", sa.String, nullable=False, comment="Of an invitation; else empty"),
    sa.Column("user_id", sa.String, nullable=False, comment="Whose password; empty for an invitation"),
    sa.Column("role", sa.String, nullable=False, comment="Of an invitation; else empty"),
    sa.Column("note", sa.String, nullable=False, comment="Whom an invitation is meant for"),
    sa.Column("made_by", sa.String, nullable=False),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
    sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    sa.Index("one_time_links_by_tenant", "tenant_id"),
    sa.Index("one_time_links_by_user", "user_id"),
    info={"server_wide": True},  # asked before it is known who somebody is
)

oauth_states = sa.Table(
    "oauth_states",
    metadata,
    sa.Column("state_hash", sa.String, primary_key=True, comment="SHA-256 of the state parameter"),
    sa.Column("purpose", sa.String, nullable=False),
    sa.Column("tenant_id", sa.String, nullable=False, comment="Whose provider; empty for the server's"),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("user_id", sa.String, nullable=False, comment="Who started it; empty when nobody was signed in"),
    sa.Column("browser_hash", sa.String, nullable=False, comment="SHA-256 of the cookie of the browser that started"),
    sa.Column("invitation_hash", sa.String, nullable=False, comment="Invitation to accept; or empty"),
    sa.Column("nonce", sa.String, nullable=False),
    sa.Column("verifier", sa.String, nullable=False, comment="PKCE; emptied when used"),
    sa.Column("redirect_uri", sa.String, nullable=False),
    sa.Column("return_to", sa.String, nullable=False),
    sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    sa.Column("used_at_s", sa.BigInteger, nullable=True),
    info={"server_wide": True},  # asked before it is known who somebody is
)

login_providers = sa.Table(
    "login_providers",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("issuer", sa.String, nullable=False),
    sa.Column("client_id", sa.String, nullable=False),
    sa.Column("client_auth", sa.String, nullable=False),
    sa.Column("scopes", sa.String, nullable=False, comment="Separated by spaces"),
    sa.Column("joins_as", sa.String, nullable=False, comment="Role of somebody new; empty: nobody new gets in"),
    sa.Column("created_at_s", sa.BigInteger, nullable=False),
)

connections = sa.Table(
    "connections",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("provider", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("scopes", sa.String, nullable=False, comment="Granted, separated by spaces"),
    sa.Column("connected_by", sa.String, nullable=False),
    sa.Column("connected_at_s", sa.BigInteger, nullable=False),
    sa.Column("expires_at_s", sa.BigInteger, nullable=False, comment="Of the access token"),
    sa.Column("generation", sa.BigInteger, nullable=False, comment="Of the tokens in the vault"),
    sa.Column("lease", sa.String, nullable=False, comment="Who refreshes at the moment; or empty"),
    sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
)
