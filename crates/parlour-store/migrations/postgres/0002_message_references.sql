-- Looking up a new message's conversation and sender again cost half of storing it, and locked the sender's row. Whoever
-- inserts messages has read both in the same transaction, and no statement deletes a conversation or a user.
LOCK TABLE conversations, users, messages IN ACCESS EXCLUSIVE MODE; -- in the order of those who write meanwhile
ALTER TABLE messages DROP CONSTRAINT messages_conversation_fkey, DROP CONSTRAINT messages_sender_fkey;
