//! What the decoder must keep of a message that is not complete.

use crate::ProtocolError;
use crate::frame::MAX_CONTROL_BYTES;

/// Boxed by the decoder, and there only while something is incomplete.
#[derive(Debug)]
pub(crate) struct Partial {
    /// The data message so far: unmasked, still compressed if it is.
    message: Vec<u8>,
    /// How far `message` has been seen to be whole UTF-8 characters.
    valid: usize,
    /// A control frame so far; it may stand between fragments.
    control: [u8; MAX_CONTROL_BYTES],
    control_bytes: u8,
}

impl Default for Partial {
    fn default() -> Self {
        Self { message: Vec::new(), valid: 0, control: [0; MAX_CONTROL_BYTES], control_bytes: 0 }
    }
}

impl Partial {
    /// Appends to the data message. `missing` is what the frame still promises: room grows as bytes
    /// arrive, by doubling, but never for more than was promised.
    pub(crate) fn append(&mut self, payload: &[u8], missing: usize) {
        let needed = self.message.len() + payload.len();
        if needed > self.message.capacity() {
            let doubled = needed.max(2 * self.message.capacity()).min(needed + missing);
            self.message.reserve_exact(doubled - self.message.len());
        }
        self.message.extend_from_slice(payload);
    }

    /// Checks what was appended since the last call. A character cut at the end is no error yet,
    /// unless no continuation can make it valid.
    pub(crate) fn check_utf8(&mut self) -> Result<(), ProtocolError> {
        match simdutf8::compat::from_utf8(&self.message[self.valid..]) {
            Ok(_) => self.valid = self.message.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(ProtocolError::InvalidUtf8),
        }
        Ok(())
    }

    /// Whether the message ends with a whole character.
    pub(crate) fn is_utf8(&self) -> bool {
        self.valid == self.message.len()
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(crate) fn message_bytes(&self) -> usize {
        self.message.len()
    }

    /// Puts the inflated message in the place of the compressed one.
    #[cfg(feature = "deflate")]
    pub(crate) fn replace(&mut self, plain: Vec<u8>) {
        self.message = plain;
    }

    /// Appends to the control frame; its header was refused if this could overflow.
    pub(crate) fn append_control(&mut self, payload: &[u8]) {
        let room = self.control[usize::from(self.control_bytes)..].iter_mut();
        for (slot, byte) in room.zip(payload) {
            *slot = *byte;
            self.control_bytes += 1;
        }
    }

    pub(crate) fn control(&self) -> &[u8] {
        &self.control[..usize::from(self.control_bytes)]
    }

    pub(crate) fn clear_control(&mut self) {
        self.control_bytes = 0;
    }

    pub(crate) fn capacity(&self) -> usize {
        size_of::<Self>() + self.message.capacity()
    }
}
