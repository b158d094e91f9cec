-- A Laravel application with conversations, a pivot table of participants, and messages:
--   conversations(id, type ('private', 'group'), name, created_at)
--   conversation_user(conversation_id, user_id, last_read_at)
--   messages(id, conversation_id, user_id, content, type, reply_to_id, created_at, edited_at, deleted_at)
-- Put your names in their places. Laravel keeps times in `app.timezone`, UTC by default; other zones need converting.
--
--   sqlite3 -readonly database.sqlite < laravel-conversations.sqlite.sql > history.jsonl

BEGIN;

SELECT json_object('type', 'parlour', 'version', 1, 'source', 'laravel');

SELECT json_object('type', 'user', 'id', id, 'name', name, 'email', email,
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', created_at))
FROM users
ORDER BY id;

SELECT json_object('type', 'conversation', 'id', c.id, 'kind', CASE WHEN c.type = 'private' THEN 'direct' ELSE 'group' END,
                   'title', CASE WHEN c.type <> 'private' THEN c.name END,
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at),
                   'participants', json((SELECT json_group_array(p.user_id) FROM conversation_user p
                                         WHERE p.conversation_id = c.id)))
FROM conversations c
ORDER BY c.id;

-- Read by nobody by themselves: the marks below tell how far everybody is.
SELECT json_object('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.user_id,
                   'content', m.content, 'metadata', json(CASE WHEN m.type <> 'text' THEN json_object('type', m.type) END),
                   'reply_to', m.reply_to_id, 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', m.created_at),
                   'edited_at', strftime('%Y-%m-%dT%H:%M:%fZ', m.edited_at),
                   'deleted_at', strftime('%Y-%m-%dT%H:%M:%fZ', m.deleted_at), 'read_by', json_array())
FROM messages m
ORDER BY m.created_at, m.id;

SELECT json_object('type', 'read', 'conversation', conversation_id, 'user', user_id,
                   'at', strftime('%Y-%m-%dT%H:%M:%fZ', last_read_at))
FROM conversation_user
WHERE last_read_at IS NOT NULL
ORDER BY conversation_id, user_id;

COMMIT;
