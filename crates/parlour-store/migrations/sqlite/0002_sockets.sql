-- Where sockets stand whose clients cannot say it themselves (crates/parlour-core/src/port/store/sockets.rs).

CREATE TABLE sockets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user TEXT NOT NULL REFERENCES users (id),
  dialect TEXT NOT NULL,
  scope INTEGER,               -- the only conversation that it carries; NULL: all of the user's
  device TEXT,                 -- as the client names it; NULL: it names none
  agent INTEGER,               -- tells kinds of clients apart; NULL: it is not known
  waiting_since INTEGER,       -- NULL while it is live
  expires_at INTEGER,          -- NULL while it is live; 0 when a crash has left it, until it is next swept
  CHECK ((waiting_since IS NULL) = (expires_at IS NULL))
) STRICT;
CREATE INDEX sockets_by_key ON sockets (user, dialect, scope, device, waiting_since);
CREATE INDEX sockets_by_end ON sockets (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE socket_positions (
  socket INTEGER NOT NULL REFERENCES sockets (id) ON DELETE CASCADE,
  conversation INTEGER NOT NULL REFERENCES conversations (id),
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (socket, conversation)
) STRICT, WITHOUT ROWID;
