-- A Django application with conversations, their participants, messages, and who has read which message:
--   Conversation(id, created_at), its many-to-many `participants`
--   Message(id, conversation, sender, content, created_at, is_edited)
--   ReadReceipt(message, user)
-- Put your names in the place of `chat_conversation`, `chat_conversation_participants`, `chat_message`,
-- `chat_readreceipt` and `auth_user`. Without receipts but with a column `is_read`, write 'is_read', m.is_read.
--
--   sqlite3 -readonly db.sqlite3 < django-conversations.sqlite.sql > history.jsonl

BEGIN;

SELECT json_object('type', 'parlour', 'version', 1, 'source', 'django');

SELECT json_object('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(first_name || ' ' || last_name), ''), 'email', nullif(email, ''),
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', date_joined))
FROM auth_user
ORDER BY id;

SELECT json_object('type', 'conversation', 'id', c.id, 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at),
                   'participants', json((SELECT json_group_array(p.user_id) FROM chat_conversation_participants p
                                         WHERE p.conversation_id = c.id)))
FROM chat_conversation c
ORDER BY c.id;

SELECT json_object('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.sender_id,
                   'content', m.content, 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', m.created_at),
                   'edited_at', CASE WHEN m.is_edited THEN strftime('%Y-%m-%dT%H:%M:%fZ', m.created_at) END,
                   'read_by', json((SELECT json_group_array(r.user_id) FROM chat_readreceipt r
                                    WHERE r.message_id = m.id)))
FROM chat_message m
ORDER BY m.created_at, m.id;

COMMIT;
