-- A Django application with conversations, their participants, messages, and who has read which message:
--   Conversation(id, created_at), its many-to-many `participants`
--   Message(id, conversation, sender, content, created_at, is_edited)
--   ReadReceipt(message, user)
-- Put your names in the place of `chat_conversation`, `chat_conversation_participants`, `chat_message`,
-- `chat_readreceipt` and `auth_user`. Without receipts but with a column `is_read`, write 'is_read', m.is_read.
--
--   mysql --batch --raw --skip-column-names --quick --default-character-set=utf8mb4 DATABASE < django-conversations.mysql.sql > history.jsonl

SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT JSON_OBJECT('type', 'parlour', 'version', 1, 'source', 'django');

SELECT JSON_OBJECT('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(concat(first_name, ' ', last_name)), ''), 'email', nullif(email, ''),
                   'created_at', DATE_FORMAT(date_joined, '%Y-%m-%dT%H:%i:%s.%fZ'))
FROM auth_user
ORDER BY id;

SELECT JSON_OBJECT('type', 'conversation', 'id', c.id, 'created_at', DATE_FORMAT(c.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
                   'participants', coalesce((SELECT JSON_ARRAYAGG(p.user_id) FROM chat_conversation_participants p
                                             WHERE p.conversation_id = c.id), JSON_ARRAY()))
FROM chat_conversation c
ORDER BY c.id;

SELECT JSON_OBJECT('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.sender_id,
                   'content', m.content, 'created_at', DATE_FORMAT(m.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
                   'edited_at', IF(m.is_edited, DATE_FORMAT(m.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), NULL),
                   'read_by', coalesce((SELECT JSON_ARRAYAGG(r.user_id) FROM chat_readreceipt r
                                        WHERE r.message_id = m.id), JSON_ARRAY()))
FROM chat_message m
ORDER BY m.created_at, m.id;

COMMIT;
