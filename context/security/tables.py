"""The tables of security: keys, sealed secrets, the audit chain, shared rate limits.

What belongs to the installation and to no tenant is kept under `THE_SERVER`, which no tenant may be called, so that
every row has an owner and row security holds for all of them. Used by the stores of this package alone.
"""

import sqlalchemy as sa

from context.store.metadata import metadata

THE_SERVER = "@server"
"""Stands in tenant_id for the installation itself: the operator's keys, secrets and actions."""

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False, comment="KeyKind"),
    sa.Column("scopes", sa.Text, nullable=False, comment="JSON array of Scope"),
    sa.Column("origins", sa.Text, nullable=False, comment="JSON array, of widget keys"),
    sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=True),
    sa.Column("revoked_at_ms", sa.BigInteger, nullable=True),
    sa.Column("last_used_at_ms", sa.BigInteger, nullable=True),
    sa.Column("replaced_by", sa.String, nullable=True, comment="The key made by its rotation"),
    sa.Index("api_keys_by_id", "id", unique=True),
)

vault_masters = sa.Table(
    "vault_masters",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True, comment="Fingerprint of the master key"),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("retired_at_ms", sa.BigInteger, nullable=True),
    comment="Master keys that data keys were wrapped with; the keys themselves are never here",
)

vaults = sa.Table(
    "vaults",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    comment="One row a tenant, locked by whoever changes its secrets or keys",
)

vault_data_keys = sa.Table(
    "vault_data_keys",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("master_id", sa.String, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False, comment="Nonce and data key, sealed by the master key"),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Index("vault_data_keys_by_master", "master_id"),
)

vault_secrets = sa.Table(
    "vault_secrets",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False, comment="Grows with each value"),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="Nonce and secret, sealed by the data key"),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    comment="The end of each chain, locked by whoever lengthens it",
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="JSON object"),
    sa.Column("previous_hash", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)

rate_limits = sa.Table(
    "rate_limits",
    metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("bucket", sa.String, primary_key=True, comment="SHA-256 of its name: names hold addresses"),
    sa.Column("full_until_s", sa.Float(53), nullable=False, comment="When everything taken will have been given back"),
    sa.Index("rate_limits_by_end", "full_until_s"),
)
