-- Tables of a Django application with messages between two users.
CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username TEXT, first_name TEXT, last_name TEXT, email TEXT, date_joined TEXT);
INSERT INTO auth_user VALUES
  (1, 'alice', 'Alice', 'Archer', 'alice@example.org', '2024-01-01 08:00:00'),
  (2, 'bob', '', '', '', '2024-01-02 08:00:00.500000'),
  (3, 'carla', 'Carla', '', 'carla@example.org', '2024-01-03 08:00:00');
CREATE TABLE chat_message (id INTEGER PRIMARY KEY, sender_id INTEGER, receiver_id INTEGER, content TEXT, created_at TEXT, is_read BOOL);
INSERT INTO chat_message VALUES
  (101, 1, 2, 'Is it "still" there?' || char(10) || 'Ümläut 🥐', '2025-01-15 15:45:00.123456', 1),
  (102, 2, 1, 'Yes', '2025-01-15 15:46:00', 1),
  (104, 1, 3, 'Hello Carla', '2025-01-15 15:47:00', 0),
  (103, 2, 1, 'Come by', '2025-01-15 15:48:00', 0);
