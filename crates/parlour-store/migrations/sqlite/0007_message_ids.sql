-- Messages are never removed, so that the next id is one more than the last, and no table has to keep it: AUTOINCREMENT wrote
-- a page of its own with every commit, and looked for its row with every message. meta's 'message_ids' is the last id that
-- was given to a message which is not here any more, because the database is older than it: src/sqlite/message_ids.rs.
INSERT INTO meta (key, value)
  SELECT 'message_ids', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'messages'), 0);
DELETE FROM sqlite_sequence WHERE name = 'messages';
-- What is stored is the same with and without the word: no row needs to be written anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER PRIMARY KEY AUTOINCREMENT', 'INTEGER PRIMARY KEY')
  WHERE type = 'table' AND name = 'messages';
PRAGMA writable_schema = RESET;
