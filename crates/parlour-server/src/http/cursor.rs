//! Cursors: opaque places in a list. They carry no authority: every page is checked anew.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parlour_core::{
    Code, ConversationId, Error, MessageId, Seq, UserId,
    port::store::{ListCursor, Page},
};

/// A place in the list of conversations.
pub(crate) fn conversations(cursor: ListCursor) -> String {
    encode(&format!("c{}.{}", cursor.active_at, cursor.id))
}

/// The place that a cursor of [`conversations`] stands for.
pub(crate) fn to_conversations(cursor: &str) -> Result<ListCursor, Error> {
    let text = decode(cursor)?;
    let (active_at, id) = text.strip_prefix('c').and_then(|t| t.split_once('.')).ok_or_else(bad)?;
    let active_at = active_at.parse().map_err(|_| bad())?;
    Ok(ListCursor { active_at, id: ConversationId(id.parse().map_err(|_| bad())?) })
}

/// A place in the list of participants.
pub(crate) fn participants(last: &UserId) -> String {
    encode(&format!("u{last}"))
}

/// The place that a cursor of [`participants`] stands for.
pub(crate) fn to_participants(cursor: &str) -> Result<UserId, Error> {
    let text = decode(cursor)?;
    UserId::new(text.strip_prefix('u').ok_or_else(bad)?).map_err(|_| bad())
}

/// A place in a conversation, and the direction in which the list goes on from it.
pub(crate) fn messages(page: Page) -> String {
    match page {
        Page::Newest => encode("mn"),
        Page::Before(seq) => encode(&format!("mb{seq}")),
        Page::After(seq) => encode(&format!("ma{seq}")),
    }
}

/// The place that a cursor of [`messages`] stands for.
pub(crate) fn to_messages(cursor: &str) -> Result<Page, Error> {
    let text = decode(cursor)?;
    let seq = |digits: &str| digits.parse().map(Seq).map_err(|_| bad());
    match text.split_at_checked(2) {
        Some(("mn", "")) => Ok(Page::Newest),
        Some(("mb", digits)) => seq(digits).map(Page::Before),
        Some(("ma", digits)) => seq(digits).map(Page::After),
        _ => Err(bad()),
    }
}

/// A place in the list of unread messages: after this one.
pub(crate) fn unread(last: MessageId) -> String {
    encode(&format!("n{last}"))
}

/// The place that a cursor of [`unread`] stands for.
pub(crate) fn to_unread(cursor: &str) -> Result<MessageId, Error> {
    let text = decode(cursor)?;
    let id = text.strip_prefix('n').and_then(|digits| digits.parse().ok());
    id.map(MessageId).ok_or_else(bad)
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn decode(cursor: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    String::from_utf8(bytes).map_err(|_| bad())
}

fn bad() -> Error {
    Error::new(Code::InvalidFrame, "this is no cursor of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e21_a_broken_or_foreign_cursor_is_refused() {
        let list = conversations(ListCursor { active_at: 5, id: ConversationId(7) });
        assert_eq!(to_conversations(&list).unwrap().id.0, 7);
        let people = participants(&UserId::new("1").unwrap());
        assert_eq!(to_participants(&people).unwrap().as_str(), "1");
        for page in [Page::Newest, Page::Before(Seq(9)), Page::After(Seq(0))] {
            assert_eq!(to_messages(&messages(page)).unwrap(), page);
        }
        assert_eq!(to_unread(&unread(MessageId(7))).unwrap(), MessageId(7));
        assert!(to_unread(&people).is_err() && to_unread("bg").is_err());
        for foreign in [&*people, "", "!!", "Y", "bW4x", "999999999999999999999999"] {
            assert!(to_conversations(foreign).is_err(), "{foreign}");
            assert!(to_messages(foreign).is_err(), "{foreign}");
        }
        assert!(to_participants(&list).is_err());
    }
}
