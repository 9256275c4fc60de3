"""A database as Parley 0.1 left it: its own statements, word for word, and rows that a clinic might have had."""

import sqlalchemy as sa

STATEMENTS = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version))",
    "CREATE TABLE calendars (tenant_id VARCHAR NOT NULL, PRIMARY KEY (tenant_id))",
    "CREATE TABLE bookings (tenant_id VARCHAR NOT NULL, id VARCHAR NOT NULL, call_id VARCHAR NOT NULL, "
    "service_id VARCHAR NOT NULL, starts_at_s BIGINT NOT NULL, minutes INTEGER NOT NULL, name VARCHAR NOT NULL, "
    "phone VARCHAR NOT NULL, email VARCHAR NOT NULL, notes VARCHAR NOT NULL, created_at_s BIGINT NOT NULL, "
    "cancelled_at_s BIGINT, PRIMARY KEY (tenant_id, id))",
    "CREATE INDEX bookings_by_start ON bookings (tenant_id, starts_at_s)",
    "CREATE INDEX bookings_by_call ON bookings (tenant_id, call_id)",
    "CREATE TABLE calls (tenant_id VARCHAR NOT NULL, call_id VARCHAR NOT NULL, started_at FLOAT NOT NULL, "
    "duration_s FLOAT NOT NULL, language VARCHAR NOT NULL, outcome VARCHAR NOT NULL, reason VARCHAR NOT NULL, "
    "record TEXT NOT NULL, PRIMARY KEY (tenant_id, call_id))",
    "CREATE INDEX calls_by_start ON calls (tenant_id, started_at)",
    "CREATE TABLE booked_grains (tenant_id VARCHAR NOT NULL, grain BIGINT NOT NULL, booking_id VARCHAR NOT NULL, "
    "PRIMARY KEY (tenant_id, grain), FOREIGN KEY(tenant_id, booking_id) REFERENCES bookings (tenant_id, id))",
    "CREATE INDEX booked_grains_by_booking ON booked_grains (tenant_id, booking_id)",
    "INSERT INTO schema_version VALUES (1)",
    "INSERT INTO calendars VALUES ('clinic')",
    "INSERT INTO bookings VALUES ('clinic', 'b1', 'c1', 'cleaning', 1812700800, 45, 'Zoé', '+33612345678', "
    "'zoe@example.com', '', 1812600000, NULL)",
    "INSERT INTO booked_grains VALUES ('clinic', 6042336, 'b1'), ('clinic', 6042337, 'b1')",
    """INSERT INTO calls VALUES ('clinic', 'c1', 1812600000.5, 61.25, 'fr', 'booked', 'hangup', '{"call_id":"c1",
    "started_at":1812600000.5,"duration_s":61.25,"language":"fr","outcome":"booked","reason":"hangup","transcript":[],
    "tools":[],"latency":[{"speech":700}],"caller_talk_s":20.5,"agent_talk_s":30.5,"recording":""}')""",
)


def write(url: str) -> None:
    """Make the tables and rows in the empty database at `url` (of a synchronous driver)."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in STATEMENTS:
            connection.exec_driver_sql(statement)
    engine.dispose()
