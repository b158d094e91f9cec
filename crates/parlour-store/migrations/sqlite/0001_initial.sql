-- Everything that the first version keeps.
--
-- Times are milliseconds since the Unix epoch, UTC. Columns named *_fold hold the text in lower case, for
-- comparison. Numbers of kinds, states and roles are those of src/sqlite/rows.rs and never change their meaning.

CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The life of every log in this database: another database has another one.
INSERT INTO meta (key, value) VALUES ('epoch', (abs(random() % 281474976710655)) + 1), ('checks', 0), ('clean', 1);

CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  username TEXT,               -- NULL: the id
  name TEXT,                   -- NULL: the username
  email TEXT,
  avatar TEXT,
  state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
  revoked_before INTEGER NOT NULL DEFAULT 0,
  last_seen INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  id_fold TEXT NOT NULL,
  username_fold TEXT NOT NULL,
  name_fold TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_id_fold ON users (id_fold);
CREATE INDEX users_by_username_fold ON users (username_fold);
CREATE INDEX users_by_name_fold ON users (name_fold, id);

CREATE TABLE blocks (
  blocker TEXT NOT NULL REFERENCES users (id),
  blocked TEXT NOT NULL REFERENCES users (id),
  at INTEGER NOT NULL,
  PRIMARY KEY (blocker, blocked)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_by_blocked ON blocks (blocked, blocker);

CREATE TABLE conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
  state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
  title TEXT,
  title_fold TEXT,
  subject TEXT,
  external_id TEXT UNIQUE,
  direct_key TEXT UNIQUE,      -- the two users and the subject of a direct conversation
  metadata TEXT,
  epoch INTEGER NOT NULL,
  last_seq INTEGER NOT NULL DEFAULT 0,
  receipts INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  active_at INTEGER NOT NULL,  -- moves with messages only
  latest_at INTEGER NOT NULL,  -- moves with every Change, so that times never go back
  CHECK ((kind = 0) = (direct_key IS NOT NULL))
) STRICT;

CREATE TABLE participants (
  conversation INTEGER NOT NULL REFERENCES conversations (id),
  user TEXT NOT NULL REFERENCES users (id),
  role INTEGER NOT NULL CHECK (role IN (0, 1, 2)),
  joined_seq INTEGER NOT NULL, -- he sees what came after this
  entered_seq INTEGER NOT NULL, -- the Change that brought him in; 0 for those who were there from the first
  delivered_seq INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  receipt_version INTEGER NOT NULL DEFAULT 0,
  receipt_at INTEGER NOT NULL DEFAULT 0,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (conversation, user),
  CHECK (read_seq <= delivered_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX participants_by_user ON participants (user, conversation);

-- Who was in a conversation, left, and sees that part of it again when he returns.
CREATE TABLE past_memberships (
  conversation INTEGER NOT NULL REFERENCES conversations (id),
  user TEXT NOT NULL REFERENCES users (id),
  from_seq INTEGER NOT NULL,   -- saw what came after this
  to_seq INTEGER NOT NULL,     -- his leaving, the last that he saw
  PRIMARY KEY (conversation, user, from_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations (id),
  seq INTEGER NOT NULL,
  change_seq INTEGER NOT NULL,
  sender TEXT NOT NULL REFERENCES users (id),
  client_id TEXT,
  content_hash BLOB NOT NULL,  -- of what was sent first, to tell a repetition from a conflict for ever
  kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
  text TEXT,                   -- NULL once deleted
  metadata TEXT,
  reply_to INTEGER REFERENCES messages (id),
  created_at INTEGER NOT NULL,
  edited_at INTEGER,
  deleted_at INTEGER,
  CHECK ((text IS NULL) = (deleted_at IS NOT NULL)),
  CHECK (change_seq >= seq)
) STRICT;
CREATE UNIQUE INDEX messages_by_client_id ON messages (conversation, sender, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX messages_by_change ON messages (conversation, change_seq);
-- Pages, and the unread count without touching the table.
CREATE INDEX messages_by_seq ON messages (conversation, seq, sender, deleted_at);

CREATE TABLE revisions (
  message INTEGER NOT NULL REFERENCES messages (id),
  seq INTEGER NOT NULL,
  text TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (message, seq)
) STRICT, WITHOUT ROWID;

-- The Changes that are not messages.
CREATE TABLE changes (
  conversation INTEGER NOT NULL REFERENCES conversations (id),
  seq INTEGER NOT NULL,
  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2, 3)),
  actor TEXT NOT NULL REFERENCES users (id),
  user TEXT REFERENCES users (id),
  role INTEGER,
  title TEXT,
  state INTEGER,
  metadata TEXT,
  at INTEGER NOT NULL,
  PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
  user TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
  username TEXT NOT NULL,
  username_fold TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  name TEXT NOT NULL PRIMARY KEY,
  secret BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users (id),
  refresh BLOB UNIQUE,
  cookie BLOB UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Refresh tokens that were replaced: presenting one again ends the session.
CREATE TABLE used_refresh_tokens (
  hash BLOB NOT NULL PRIMARY KEY,
  session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX used_refresh_tokens_by_session ON used_refresh_tokens (session);

CREATE TABLE tickets (
  hash BLOB NOT NULL PRIMARY KEY,
  identity TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_end ON tickets (expires_at);
