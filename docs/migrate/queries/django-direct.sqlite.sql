-- A Django application with one table of messages between two users:
--   Message(id, sender, receiver, content, created_at, is_read)
-- Put your names in the place of `chat_message` and `auth_user`.
--
--   sqlite3 -readonly db.sqlite3 < django-direct.sqlite.sql > history.jsonl

BEGIN;

SELECT json_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_object('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', date_joined))
FROM auth_user
ORDER BY id;

SELECT json_object('type', 'message', 'id', id, 'sender', sender_id, 'recipient', receiver_id, 'content', content,
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', created_at), 'is_read', is_read)
FROM chat_message
ORDER BY created_at, id;

COMMIT;
