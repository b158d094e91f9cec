-- Under which id of a host application something was imported, so that nothing comes in twice.
CREATE TABLE import_keys (
  source TEXT NOT NULL,        -- the name of the host application
  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),
  host_id TEXT NOT NULL,
  target INTEGER NOT NULL,     -- the conversation or message; 0 for a user, whose id is the host's
  state BLOB NOT NULL,         -- hash of what its last import brought
  PRIMARY KEY (source, kind, host_id)
) STRICT, WITHOUT ROWID;
