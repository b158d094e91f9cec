-- A Laravel application with conversations, a pivot table of participants, and messages:
--   conversations(id, type ('private', 'group'), name, created_at)
--   conversation_user(conversation_id, user_id, last_read_at)
--   messages(id, conversation_id, user_id, content, type, reply_to_id, created_at, edited_at, deleted_at)
-- Put your names in their places. Laravel keeps times without a zone, in `app.timezone`, UTC by default; for another
-- one write it in the place of the first 'UTC' of each time: created_at AT TIME ZONE 'Asia/Tashkent' AT TIME ZONE 'UTC'.
--
--   psql -XAtq -v ON_ERROR_STOP=1 -f laravel-conversations.postgres.sql "$OLD_DATABASE" > history.jsonl

\set FETCH_COUNT 10000
\set utc '''YYYY-MM-DD"T"HH24:MI:SS.US"Z"'''
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

SELECT json_build_object('type', 'parlour', 'version', 1, 'source', 'laravel');

SELECT json_build_object('type', 'user', 'id', id, 'name', name, 'email', email,
                         'created_at', to_char(created_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc))
FROM users
ORDER BY id;

SELECT json_build_object('type', 'conversation', 'id', c.id,
                         'kind', CASE WHEN c.type = 'private' THEN 'direct' ELSE 'group' END,
                         'title', CASE WHEN c.type <> 'private' THEN c.name END,
                         'created_at', to_char(c.created_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc),
                         'participants', (SELECT coalesce(json_agg(p.user_id), '[]'::json)
                                          FROM conversation_user p WHERE p.conversation_id = c.id))
FROM conversations c
ORDER BY c.id;

-- Read by nobody by themselves: the marks below tell how far everybody is.
SELECT json_build_object('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.user_id,
                         'content', m.content,
                         'metadata', CASE WHEN m.type <> 'text' THEN json_build_object('type', m.type) END,
                         'reply_to', m.reply_to_id,
                         'created_at', to_char(m.created_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc),
                         'edited_at', to_char(m.edited_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc),
                         'deleted_at', to_char(m.deleted_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc),
                         'read_by', '[]'::json)
FROM messages m
ORDER BY m.created_at, m.id;

SELECT json_build_object('type', 'read', 'conversation', conversation_id, 'user', user_id,
                         'at', to_char(last_read_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', :utc))
FROM conversation_user
WHERE last_read_at IS NOT NULL
ORDER BY conversation_id, user_id;

COMMIT;
