"""Security: keys, secrets, audit log, rate limits."""

import sqlalchemy as sa
from alembic import op

from context.store.row_security import row_security

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False, comment="KeyKind"),
        sa.Column("scopes", sa.Text(), nullable=False, comment="JSON array of Scope"),
        sa.Column("origins", sa.Text(), nullable=False, comment="JSON array, of widget keys"),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("replaced_by", sa.String(), nullable=True, comment="The key made by its rotation"),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("api_keys_by_id", "api_keys", ["id"], unique=True)
    op.create_table(
        "audit_entries",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seq"),
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="The end of each chain, locked by whoever lengthens it",
    )
    op.create_table(
        "rate_limits",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False, comment="SHA-256 of its name: names hold addresses"),
        sa.Column(
            "full_until_s",
            sa.Float(precision=53),
            nullable=False,
            comment="When everything taken will have been given back",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "bucket"),
    )
    op.create_index("rate_limits_by_end", "rate_limits", ["full_until_s"], unique=False)
    op.create_table(
        "vault_data_keys",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("master_id", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False, comment="Nonce and data key, sealed by the master key"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "version"),
    )
    op.create_index("vault_data_keys_by_master", "vault_data_keys", ["master_id"], unique=False)
    op.create_table(
        "vault_masters",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False, comment="Fingerprint of the master key"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        comment="Master keys that data keys were wrapped with; the keys themselves are never here",
    )
    op.create_table(
        "vault_secrets",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="Grows with each value"),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Nonce and secret, sealed by the data key"),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name"),
    )
    op.create_table(
        "vaults",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id"),
        comment="One row a tenant, locked by whoever changes its secrets or keys",
    )
    row_security(
        "api_keys",
        "audit_entries",
        "audit_heads",
        "rate_limits",
        "vault_data_keys",
        "vault_masters",
        "vault_secrets",
        "vaults",
    )


def downgrade() -> None:
    """Drop them again, with everything in them."""
    op.drop_table("vaults")
    op.drop_table("vault_secrets")
    op.drop_table("vault_masters")
    op.drop_index("vault_data_keys_by_master", table_name="vault_data_keys")
    op.drop_table("vault_data_keys")
    op.drop_index("rate_limits_by_end", table_name="rate_limits")
    op.drop_table("rate_limits")
    op.drop_table("audit_heads")
    op.drop_table("audit_entries")
    op.drop_index("api_keys_by_id", table_name="api_keys")
    op.drop_table("api_keys")
