-- A Django application whose users write to each other about an item, such as a lost-and-found board:
--   Message(id, sender, recipient, item (may be null), content, image (may be empty), timestamp, is_read)
-- Put your names in the place of `findit_message` and `auth_user`. There is one conversation for each two people and
-- item; its subject is `item/ID`. Where messages have a `conversation_id` that pages use, see django-conversations.
--
--   mysql --batch --raw --skip-column-names --quick --default-character-set=utf8mb4 DATABASE < django-items.mysql.sql > history.jsonl

SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

SELECT JSON_OBJECT('type', 'parlour', 'version', 1, 'source', 'django');

SELECT JSON_OBJECT('type', 'user', 'id', id, 'username', username,
                   'name', nullif(trim(concat(first_name, ' ', last_name)), ''), 'email', nullif(email, ''),
                   'created_at', DATE_FORMAT(date_joined, '%Y-%m-%dT%H:%i:%s.%fZ'))
FROM auth_user
ORDER BY id;

SELECT JSON_OBJECT('type', 'message', 'id', id, 'sender', sender_id, 'recipient', recipient_id,
                   'subject', concat('item/', item_id), 'content', content,
                   'metadata', IF(image <> '', JSON_OBJECT('image', image), NULL),
                   'created_at', DATE_FORMAT(`timestamp`, '%Y-%m-%dT%H:%i:%s.%fZ'), 'is_read', is_read)
FROM findit_message
ORDER BY `timestamp`, id;

COMMIT;
