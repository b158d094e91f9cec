-- Tables of a Laravel application.
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT, created_at TEXT);
CREATE TABLE conversations (id INTEGER PRIMARY KEY, type TEXT, name TEXT, created_at TEXT);
CREATE TABLE conversation_user (conversation_id INTEGER, user_id INTEGER, last_read_at TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, conversation_id INTEGER, user_id INTEGER, content TEXT, type TEXT, reply_to_id INTEGER, created_at TEXT, edited_at TEXT, deleted_at TEXT);
INSERT INTO users VALUES (1, 'Alice', 'alice@example.org', '2024-01-01 08:00:00'), (2, 'Bob', 'bob@example.org', '2024-01-01 08:00:00'), (3, 'Ali', 'ali@example.org', NULL);
INSERT INTO conversations VALUES (123, 'private', NULL, '2025-01-01 00:00:00'), (124, 'group', 'Task 9', '2025-01-01 00:00:00');
INSERT INTO conversation_user VALUES (123, 1, '2025-01-15 10:00:00'), (123, 2, NULL), (124, 1, NULL), (124, 2, NULL), (124, 3, '2025-01-15 11:00:00');
INSERT INTO messages VALUES
  (101, 123, 2, 'Is the task done?', 'text', NULL, '2025-01-15 10:00:00', NULL, NULL),
  (102, 123, 2, 'And this one?', 'text', NULL, '2025-01-15 10:00:01', '2025-01-15 10:05:00', NULL),
  (103, 124, 1, 'photo.jpg', 'image', NULL, '2025-01-15 10:01:00', NULL, NULL),
  (104, 124, 2, 'Looks good', 'text', 103, '2025-01-15 10:02:00', NULL, NULL),
  (105, 124, 2, 'wrong room', 'text', NULL, '2025-01-15 10:03:00', NULL, '2025-01-15 10:04:00');
