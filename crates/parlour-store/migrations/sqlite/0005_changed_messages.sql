-- A message that was never changed has its change under its own seq, where messages_by_seq finds it: only the others need
-- an index of their own, and a new message is one page less to write.
DROP INDEX messages_by_change;
CREATE UNIQUE INDEX messages_by_change ON messages (conversation, change_seq) WHERE change_seq > seq;
