-- Tables of a lost-and-found board.
CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username TEXT, first_name TEXT, last_name TEXT, email TEXT, date_joined TEXT);
INSERT INTO auth_user VALUES
  (1, 'alice', 'Alice', 'Archer', 'alice@example.org', '2024-01-01 08:00:00'),
  (2, 'bob', '', '', '', '2024-01-02 08:00:00.500000'),
  (3, 'carla', 'Carla', '', 'carla@example.org', '2024-01-03 08:00:00');
CREATE TABLE findit_message (id INTEGER PRIMARY KEY, sender_id INTEGER, recipient_id INTEGER, item_id INTEGER, content TEXT, image TEXT, timestamp TEXT, is_read BOOL);
INSERT INTO findit_message VALUES
  (42, 1, 2, 5, 'Hello, I found your item!', '', '2025-01-15 15:45:00', 1),
  (43, 2, 1, 5, '', 'chat/umbrella.png', '2025-01-15 15:46:00', 1),
  (44, 2, 1, NULL, 'By the way', NULL, '2025-01-15 15:47:00', 0);
