//! Which answers these dialects must write at all: an event answers a send that was carried out.

use parlour_core::port::store::Appended;

use crate::Tag;

/// Whether an answer is to a send that had been carried out before, so that no event tells the sender of it. An edit
/// or deletion that changed nothing is none: a frame would show the message a second time.
pub(crate) fn is_repeated_send(tag: &Tag, appended: &Appended) -> bool {
    let named = appended.message.client_id.as_ref().map(|id| id.as_str());
    appended.duplicate && named.is_some() && named == tag.client_id.as_deref()
}
