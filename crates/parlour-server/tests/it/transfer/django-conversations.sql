-- Tables of a Django application with conversations and read receipts.
CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username TEXT, first_name TEXT, last_name TEXT, email TEXT, date_joined TEXT);
INSERT INTO auth_user VALUES
  (1, 'alice', 'Alice', 'Archer', 'alice@example.org', '2024-01-01 08:00:00'),
  (2, 'bob', '', '', '', '2024-01-02 08:00:00.500000'),
  (3, 'carla', 'Carla', '', 'carla@example.org', '2024-01-03 08:00:00');
CREATE TABLE chat_conversation (id INTEGER PRIMARY KEY, created_at TEXT);
CREATE TABLE chat_conversation_participants (id INTEGER PRIMARY KEY, conversation_id INTEGER, user_id INTEGER);
CREATE TABLE chat_message (id INTEGER PRIMARY KEY, conversation_id INTEGER, sender_id INTEGER, content TEXT, created_at TEXT, is_edited BOOL);
CREATE TABLE chat_readreceipt (id INTEGER PRIMARY KEY, message_id INTEGER, user_id INTEGER);
INSERT INTO chat_conversation VALUES (40, '2025-01-01 00:00:00'), (41, '2025-01-01 00:00:00'), (42, '2025-01-01 00:00:00');
INSERT INTO chat_conversation_participants (conversation_id, user_id) VALUES
  (40, 1), (40, 2), (41, 1), (41, 2), (41, 3), (42, 2), (42, 1);
INSERT INTO chat_message VALUES
  (7, 40, 1, 'one', '2025-01-15 10:00:00', 0),
  (8, 41, 2, 'to all', '2025-01-15 10:01:00', 1),
  (9, 40, 2, 'two', '2025-01-15 10:02:00', 0),
  (10, 40, 2, 'three', '2025-01-15 10:03:00', 0),
  (11, 42, 1, 'another one of the same two', '2025-01-15 10:04:00', 0);
INSERT INTO chat_readreceipt (message_id, user_id) VALUES (7, 2), (9, 1), (8, 3);
