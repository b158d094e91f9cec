-- A Laravel application with conversations, a pivot table of participants, and messages:
--   conversations(id, type ('private', 'group'), name, created_at)
--   conversation_user(conversation_id, user_id, last_read_at)
--   messages(id, conversation_id, user_id, content, type, reply_to_id, created_at, edited_at, deleted_at)
-- Put your names in their places. Columns of type TIMESTAMP come in the time zone of the session, which is set to UTC
-- here; DATETIME columns hold `app.timezone`.
--
--   mysql --batch --raw --skip-column-names --quick --default-character-set=utf8mb4 DATABASE < laravel-conversations.mysql.sql > history.jsonl

SET time_zone = '+00:00';
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT JSON_OBJECT('type', 'parlour', 'version', 1, 'source', 'laravel');

SELECT JSON_OBJECT('type', 'user', 'id', id, 'name', name, 'email', email,
                   'created_at', DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.%fZ'))
FROM users
ORDER BY id;

SELECT JSON_OBJECT('type', 'conversation', 'id', c.id, 'kind', IF(c.type = 'private', 'direct', 'group'),
                   'title', IF(c.type <> 'private', c.name, NULL),
                   'created_at', DATE_FORMAT(c.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
                   'participants', coalesce((SELECT JSON_ARRAYAGG(p.user_id) FROM conversation_user p
                                             WHERE p.conversation_id = c.id), JSON_ARRAY()))
FROM conversations c
ORDER BY c.id;

-- Read by nobody by themselves: the marks below tell how far everybody is.
SELECT JSON_OBJECT('type', 'message', 'id', m.id, 'conversation', m.conversation_id, 'sender', m.user_id,
                   'content', m.content, 'metadata', IF(m.type <> 'text', JSON_OBJECT('type', m.type), NULL),
                   'reply_to', m.reply_to_id, 'created_at', DATE_FORMAT(m.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
                   'edited_at', DATE_FORMAT(m.edited_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
                   'deleted_at', DATE_FORMAT(m.deleted_at, '%Y-%m-%dT%H:%i:%s.%fZ'), 'read_by', JSON_ARRAY())
FROM messages m
ORDER BY m.created_at, m.id;

SELECT JSON_OBJECT('type', 'read', 'conversation', conversation_id, 'user', user_id,
                   'at', DATE_FORMAT(last_read_at, '%Y-%m-%dT%H:%i:%s.%fZ'))
FROM conversation_user
WHERE last_read_at IS NOT NULL
ORDER BY conversation_id, user_id;

COMMIT;
