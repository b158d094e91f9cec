//! What the dialects of existing Django Channels clients share: how a frame is read, what refusals look like, and
//! the pieces of JSON that appear in more than one of them.

mod frame;
mod output;
mod page;

pub use frame::Number;
pub(crate) use frame::{Head, fields, kind, newest, no_files, request};
pub(crate) use output::{answers_send, error, notice, user_status, write};
pub use page::Page;

pub use crate::{
    json::WireUserId,
    native::object::{Time, seen},
};
