//! Where a stream stands in all conversations of its user, as one opaque text.
//!
//! It needs no memory of the server and carries no authority: it only says what the client has.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parlour_core::{
    Code, ConversationId, Epoch, Error, Position, Result, Seq, command::ResumeFrom,
};

use crate::hash::HashMap;

/// The first byte: which form the rest has.
const VERSION: u8 = 1;

/// Longest cursor that is read, in bytes of text.
const LONGEST: usize = 14 * 1024;

/// A place in every conversation that the client has.
#[derive(Clone, Default, Debug, PartialEq)]
pub(super) struct Cursor {
    places: HashMap<ConversationId, ResumeFrom>,
}

impl Cursor {
    pub(super) fn new(places: impl IntoIterator<Item = ResumeFrom>) -> Self {
        Self { places: places.into_iter().map(|place| (place.conversation, place)).collect() }
    }

    /// A Change has been sent. One of a conversation that is not in the cursor stays out of it: the next
    /// resume names it as new, and the client loads it.
    pub(super) fn advance(&mut self, conversation: ConversationId, seq: Seq) {
        if let Some(place) = self.places.get_mut(&conversation) {
            place.position.seq = place.position.seq.max(seq);
        }
    }

    pub(super) fn places(&self) -> Vec<ResumeFrom> {
        self.places.values().copied().collect()
    }

    pub(super) fn encode(&self) -> String {
        let mut places = self.places();
        places.sort_unstable_by_key(|place| place.conversation);
        let mut bytes = vec![VERSION];
        let mut before = 0;
        for place in places {
            let id = place.conversation.0;
            for number in
                [id - before, place.position.epoch.0, place.position.seq.0, place.receipts]
            {
                write_varint(number, &mut bytes);
            }
            before = id;
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn decode(text: &str, most: usize) -> Result<Self> {
        let broken = || Error::new(Code::InvalidFrame, "this is no cursor of ours");
        if text.len() > LONGEST {
            return Err(broken());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
        let Some((&VERSION, mut rest)) = bytes.split_first() else { return Err(broken()) };
        let (mut cursor, mut before) = (Self::default(), 0u64);
        while !rest.is_empty() {
            let mut number = || read_varint(&mut rest).ok_or_else(broken);
            let (delta, epoch, seq, receipts) = (number()?, number()?, number()?, number()?);
            before = before.checked_add(delta).ok_or_else(broken)?;
            let conversation = ConversationId(before);
            let position = Position { epoch: Epoch(epoch), seq: Seq(seq) };
            cursor.places.insert(conversation, ResumeFrom { conversation, position, receipts });
            if cursor.places.len() > most {
                return Err(broken());
            }
        }
        Ok(cursor)
    }
}

/// LEB128: seven bits a byte, the lowest first.
fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// `None` when it does not end, or is no number of ours (2^53 and more).
fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..56).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number).filter(|n| *n <= parlour_core::ids::MAX_INTEGER);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(conversation: u64, epoch: u64, seq: u64, receipts: u64) -> ResumeFrom {
        let position = Position { epoch: Epoch(epoch), seq: Seq(seq) };
        ResumeFrom { conversation: ConversationId(conversation), position, receipts }
    }

    #[test]
    fn what_was_written_is_read() {
        let most = parlour_core::ids::MAX_INTEGER;
        let places = [place(1, 1, 0, 0), place(300, 2, 128, 5), place(most, most, most, most)];
        let cursor = Cursor::new(places);
        assert_eq!(Cursor::decode(&cursor.encode(), 10).unwrap(), cursor);
        let many = Cursor::new((1..=1_000).map(|id| place(id * 7, 1, id * 100, id)));
        assert!(many.encode().len() < 10_000, "{}", many.encode().len());
        assert_eq!(Cursor::decode(&many.encode(), 1_000).unwrap(), many);
        assert!(Cursor::decode(&many.encode(), 999).is_err());
    }

    #[test]
    fn e21_a_broken_cursor_is_refused() {
        for text in ["", "!", "AA", "Ag", "AYA", "Af______________8", &"A".repeat(20_000)] {
            assert_eq!(Cursor::decode(text, 10).unwrap_err().code, Code::InvalidFrame, "{text}");
        }
    }
}
