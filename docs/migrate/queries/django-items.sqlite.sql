-- A Django application whose users write to each other about an item, such as a lost-and-found board:
--   Message(id, sender, recipient, item (may be null), content, image (may be empty), timestamp, is_read)
-- Put your names in the place of `findit_message` and `auth_user`. There is one conversation for each two people and
-- item; its subject is `item/ID`. Where messages have a `conversation_id` that pages use, see django-conversations.
--
--   sqlite3 -readonly db.sqlite3 < django-items.sqlite.sql > history.jsonl

BEGIN;

SELECT json_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_object('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', date_joined))
FROM auth_user
ORDER BY id;

SELECT json_object('type', 'message', 'id', id, 'sender', sender_id, 'recipient', recipient_id,
                   'subject', 'item/' || item_id, 'content', content,
                   'metadata', json(CASE WHEN image <> '' THEN json_object('image', image) END),
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', timestamp), 'is_read', is_read)
FROM findit_message
ORDER BY timestamp, id;

COMMIT;
