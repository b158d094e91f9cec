-- A Django application whose users write to each other about an item, such as a lost-and-found board:
--   Message(id, sender, recipient, item (may be null), content, image (may be empty), timestamp, is_read)
-- Put your names in the place of `findit_message` and `auth_user`. There is one conversation for each two people and
-- item; its subject is `item/ID`. Where messages have a `conversation_id` that pages use, see django-conversations.
--
--   psql -XAtq -v ON_ERROR_STOP=1 -f django-items.postgres.sql "$OLD_DATABASE" > history.jsonl

\set FETCH_COUNT 10000
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

SELECT json_build_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_build_object('type', 'user', 'id', id, 'username', username,
                         'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                         'created_at', to_char(date_joined AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM auth_user
ORDER BY id;

SELECT json_build_object('type', 'message', 'id', id, 'sender', sender_id, 'recipient', recipient_id,
                         'subject', 'item/' || item_id, 'content', content,
                         'metadata', CASE WHEN image <> '' THEN json_build_object('image', image) END,
                         'created_at', to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'is_read', is_read)
FROM findit_message
ORDER BY timestamp, id;

COMMIT;
