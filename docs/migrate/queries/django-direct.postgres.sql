-- A Django application with one table of messages between two users:
--   Message(id, sender, receiver, content, created_at, is_read)
-- Put your names in the place of `chat_message` and `auth_user`.
--
--   psql -XAtq -v ON_ERROR_STOP=1 -f django-direct.postgres.sql "$OLD_DATABASE" > history.jsonl

\set FETCH_COUNT 10000
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

SELECT json_build_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_build_object('type', 'user', 'id', id, 'username', username,
                         'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                         'created_at', to_char(date_joined AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM auth_user
ORDER BY id;

SELECT json_build_object('type', 'message', 'id', id, 'sender', sender_id, 'recipient', receiver_id, 'content', content,
                         'created_at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'is_read', is_read)
FROM chat_message
ORDER BY created_at, id;

COMMIT;
