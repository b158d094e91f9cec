-- A Django application with conversations, their participants, messages, and who has read which message:
--   Conversation(id, created_at), its many-to-many `participants`
--   Message(id, conversation, sender, content, created_at, is_edited)
--   ReadReceipt(message, user)
-- Put your names in the place of `chat_conversation`, `chat_conversation_participants`, `chat_message`,
-- `chat_readreceipt` and `auth_user`. Without receipts but with a column `is_read`, write 'is_read', m.is_read.
--
--   psql -XAtq -v ON_ERROR_STOP=1 -f django-conversations.postgres.sql "$OLD_DATABASE" > history.jsonl

\set FETCH_COUNT 10000
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

SELECT json_build_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_build_object('type', 'user', 'id', id, 'username', username,
                         'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                         'created_at', to_char(date_joined AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM auth_user
ORDER BY id;

SELECT json_build_object('type', 'conversation', 'id', c.id,
                         'created_at', to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'participants', (SELECT coalesce(json_agg(p.user_id), '[]'::json)
                                          FROM chat_conversation_participants p WHERE p.conversation_id = c.id))
FROM chat_conversation c
ORDER BY c.id;

SELECT json_build_object('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.sender_id,
                         'content', m.content,
                         'created_at', to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'edited_at', CASE WHEN m.is_edited THEN
                             to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END,
                         'read_by', (SELECT coalesce(json_agg(r.user_id), '[]'::json)
                                     FROM chat_readreceipt r WHERE r.message_id = m.id))
FROM chat_message m
ORDER BY m.created_at, m.id;

COMMIT;
