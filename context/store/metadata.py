"""Where every table of the store is registered.

Each concept declares its tables in its own `tables` module; `context.store.schema` imports them all, for whoever needs
the whole schema. Every table that holds a tenant's data has `tenant_id` first in its primary key. Instants are whole
seconds (`_s`) or milliseconds (`_ms`) since the epoch, UTC: SQLite would drop the time zone of a datetime.
"""

import sqlalchemy as sa

metadata = sa.MetaData()
