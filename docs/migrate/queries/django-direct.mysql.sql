-- A Django application with one table of messages between two users:
--   Message(id, sender, receiver, content, created_at, is_read)
-- Put your names in the place of `chat_message` and `auth_user`. Django keeps UTC in MySQL when USE_TZ is on.
--
--   mysql --batch --raw --skip-column-names --quick --default-character-set=utf8mb4 DATABASE < django-direct.mysql.sql > history.jsonl

SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT JSON_OBJECT('type', 'parlour', 'version', 1, 'source', 'django');

SELECT JSON_OBJECT('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(concat(first_name, ' ', last_name)), ''), 'email', nullif(email, ''),
                   'created_at', DATE_FORMAT(date_joined, '%Y-%m-%dT%H:%i:%s.%fZ'))
FROM auth_user
ORDER BY id;

SELECT JSON_OBJECT('type', 'message', 'id', id, 'sender', sender_id, 'recipient', receiver_id, 'content', content,
                   'created_at', DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), 'is_read', is_read)
FROM chat_message
ORDER BY created_at, id;

COMMIT;
