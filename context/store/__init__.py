"""The database: transactions that belong to one tenant, migrations, backup."""
