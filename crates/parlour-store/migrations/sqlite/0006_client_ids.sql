-- Which client ids were used (guarantee G3). No index of the messages any more: where conversations are many, each message
-- wrote a page of it. What is newer than meta's 'client_ids' may not be here yet: src/sqlite/client_ids.rs.
CREATE TABLE client_ids (
  conversation INTEGER NOT NULL,
  sender TEXT NOT NULL,
  client_id TEXT NOT NULL,
  message INTEGER NOT NULL,    -- no reference: it is checked by nobody but the writer, and at a price
  PRIMARY KEY (conversation, sender, client_id)
) STRICT, WITHOUT ROWID;

INSERT INTO client_ids (conversation, sender, client_id, message)
  SELECT conversation, sender, client_id, id FROM messages
  WHERE client_id IS NOT NULL ORDER BY conversation, sender, client_id;
DROP INDEX messages_by_client_id;

-- The newest message up to which all are in the table.
INSERT INTO meta (key, value) SELECT 'client_ids', coalesce(max(id), 0) FROM messages;
