//! The incremental decoder: bytes in, messages out, nothing kept between messages.

use std::mem;

use crate::header::{Header, MAX_HEADER_BYTES, Opcode, Rules};
use crate::message::{Message, control, utf8};
use crate::partial::Partial;
use crate::{ProtocolError, mask};

/// What one message may cost the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes, all fragments together, after inflating. Above: 1009.
    pub max_message_bytes: usize,
    /// Most frames one message may come in. Above: 1009.
    pub max_fragments: u32,
}

impl Default for Limits {
    /// 64 KiB in 256 fragments.
    fn default() -> Self {
        Self { max_message_bytes: 64 << 10, max_fragments: 256 }
    }
}

/// Decodes the frames of one connection (RFC 6455 sections 5 and 8, RFC 7692 section 6).
///
/// The caller reads into a buffer that many connections share and passes what it read to
/// [`Decoder::next`] until that returns `None`. A message that lies in the buffer as a whole is
/// lent from there; only what is incomplete is copied, and the copy is freed by the call after the
/// one that lent the complete message. Between messages the decoder owns no heap memory.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Bytes of an unfinished header.
    head: [u8; MAX_HEADER_BYTES],
    head_bytes: u8,
    masked: bool,
    deflate: bool,
    /// Only control frames are of interest any more.
    deaf: bool,
    /// After a close or an error.
    finished: bool,
    /// The last call lent the control frame in `partial`.
    lent_control: bool,
    frame: Option<OpenFrame>,
    message: Option<OpenMessage>,
    partial: Option<Box<Partial>>,
}

/// A frame whose header is read and whose payload is not complete.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    missing: usize,
}

/// A data message whose first frame header is read.
#[derive(Debug, Clone, Copy)]
struct OpenMessage {
    text: bool,
    compressed: bool,
    fragments: u32,
}

/// A complete frame or message, before it is lent.
#[derive(Clone, Copy)]
enum Complete<'i> {
    /// Lies in the input.
    Whole(Message<'i>),
    /// Lies in `partial`.
    Text,
    Binary,
    Control(Opcode),
}

impl Decoder {
    /// For the server's end: frames must be masked.
    #[must_use]
    pub const fn server(limits: Limits) -> Self {
        Self {
            limits,
            head: [0; MAX_HEADER_BYTES],
            head_bytes: 0,
            masked: true,
            deflate: false,
            deaf: false,
            finished: false,
            lent_control: false,
            frame: None,
            message: None,
            partial: None,
        }
    }

    /// For the client's end: frames must not be masked.
    #[must_use]
    pub const fn client(limits: Limits) -> Self {
        let mut decoder = Self::server(limits);
        decoder.masked = false;
        decoder
    }

    /// Accepts compressed messages: permessage-deflate was negotiated, without context takeover by
    /// the peer ([`Deflate::negotiate`](crate::Deflate::negotiate)).
    ///
    /// The text of a compressed message is checked for UTF-8 when it is complete, that of others as
    /// it arrives.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self) -> Self {
        self.deflate = true;
        self
    }

    /// Passes over text and binary messages from now on, without keeping, inflating or checking
    /// what they say: for the end of a connection, when only the peer's close is waited for.
    pub const fn ignore_data(&mut self) {
        self.deaf = true;
    }

    /// Takes the next message from the front of `input`, which is left with the bytes after it.
    ///
    /// `None` means that `input` is used up and more bytes are needed. The bytes of `input` are
    /// changed (unmasked) and must not be passed in again. After a [`Message::Close`] and after an
    /// error all input is ignored.
    ///
    /// # Errors
    /// The first violation of the protocol or of the [`Limits`], reported as soon as the bytes that
    /// prove it have arrived: a length as soon as the header has, invalid UTF-8 at its first byte.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Message<'a>>, ProtocolError> {
        self.free_lent();
        if self.finished {
            *input = &mut [];
            return Ok(None);
        }
        match self.advance(input) {
            Ok(None) => Ok(None),
            Ok(Some(complete)) => self.lend(complete).map(Some),
            Err(error) => {
                self.finish();
                *input = &mut [];
                Err(error)
            }
        }
    }

    /// Whether a frame or a message has begun and is not complete.
    ///
    /// The caller bounds the time this may last: it starts a clock when this turns true, restarts
    /// it with each [`Message::Text`] and [`Message::Binary`], and stops it when this turns false.
    /// Control frames inside a message do not restart it.
    #[must_use]
    pub const fn is_mid_message(&self) -> bool {
        !self.finished && (self.head_bytes > 0 || self.frame.is_some() || self.message.is_some())
    }

    /// Whether a close was received or an error returned: all further input is ignored.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Heap memory held in bytes; 0 between messages once [`Decoder::next`] has returned `None`.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.capacity())
    }

    /// Consumes input until something is complete.
    fn advance<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Complete<'i>>, ProtocolError> {
        loop {
            let mut frame = match self.frame {
                Some(frame) => frame,
                None => match self.read_header(input)? {
                    Some(header) => self.open(header),
                    None => return Ok(None),
                },
            };
            let bytes = mem::take(input);
            let (payload, rest) = bytes.split_at_mut(frame.missing.min(bytes.len()));
            *input = rest;
            frame.mask = mask::apply(payload, frame.mask);
            frame.missing -= payload.len();
            let complete = frame.missing == 0;
            self.frame = if complete { None } else { Some(frame) };
            if let Some(complete) = self.take_payload(frame, payload)? {
                return Ok(Some(complete));
            }
            if !complete {
                return Ok(None);
            }
        }
    }

    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, ProtocolError> {
        let rules = self.rules();
        if self.head_bytes == 0
            && let Some((header, size)) = rules.parse(input)?
        {
            *input = &mut mem::take(input)[size..];
            return Ok(Some(header));
        }
        // A header is cut: collect it byte by byte, there are at most fourteen.
        while let Some((first, rest)) = mem::take(input).split_first_mut() {
            *input = rest;
            let filled = usize::from(self.head_bytes);
            if let Some(slot) = self.head.get_mut(filled) {
                *slot = *first;
            }
            self.head_bytes += 1;
            if let Some((header, _)) = rules.parse(&self.head[..=filled])? {
                self.head_bytes = 0;
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn rules(&self) -> Rules {
        let held = self.partial.as_ref().map_or(0, |partial| partial.message_bytes());
        let max = self.limits.max_message_bytes;
        // What does not compress grows a little: five bytes for each stored block.
        let max_compressed = max.saturating_add(max / 256 + 64);
        Rules {
            masked: self.masked,
            deflate: self.deflate,
            in_message: self.message.is_some(),
            fragment_allowed: self.message.map_or(0, |open| open.fragments)
                < self.limits.max_fragments,
            room: max.saturating_sub(held),
            compressed_room: max_compressed.saturating_sub(held),
            message_compressed: self.message.is_some_and(|open| open.compressed),
        }
    }

    fn open(&mut self, header: Header) -> OpenFrame {
        let Header { fin, opcode, mask, payload_bytes: missing, compressed } = header;
        match opcode {
            Opcode::Text | Opcode::Binary => {
                let text = opcode == Opcode::Text;
                self.message = Some(OpenMessage { text, compressed, fragments: 1 });
            }
            Opcode::Continuation => {
                if let Some(open) = &mut self.message {
                    open.fragments += 1;
                }
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        OpenFrame { opcode, fin, mask, missing }
    }

    /// Takes an unmasked piece of the payload of `frame`, the last one if nothing is missing.
    fn take_payload<'i>(
        &mut self,
        frame: OpenFrame,
        payload: &'i mut [u8],
    ) -> Result<Option<Complete<'i>>, ProtocolError> {
        let complete = frame.missing == 0;
        if frame.opcode.is_control() {
            return self.take_control(frame.opcode, complete, payload);
        }
        let Some(open) = self.message else { return Err(ProtocolError::UnexpectedContinuation) };
        let last = complete && frame.fin;
        let held = self.partial.as_ref().map_or(0, |partial| partial.message_bytes());
        if last {
            self.message = None;
        }
        if self.deaf {
            self.partial = None;
            return Ok(None);
        }
        if open.compressed {
            return self.take_compressed(open, last, frame.missing, payload);
        }
        if last && held == 0 {
            let whole =
                if open.text { Message::Text(utf8(payload)?) } else { Message::Binary(payload) };
            return Ok(Some(Complete::Whole(whole)));
        }
        if !payload.is_empty() {
            let partial = self.partial.get_or_insert_default();
            partial.append(payload, frame.missing);
            if open.text {
                partial.check_utf8()?;
            }
        }
        if !last {
            return Ok(None);
        }
        if open.text && !self.partial.as_ref().is_none_or(|partial| partial.is_utf8()) {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(Some(if open.text { Complete::Text } else { Complete::Binary }))
    }

    #[cfg(feature = "deflate")]
    fn take_compressed<'i>(
        &mut self,
        open: OpenMessage,
        last: bool,
        missing: usize,
        payload: &[u8],
    ) -> Result<Option<Complete<'i>>, ProtocolError> {
        let held = self.partial.as_ref().map_or(0, |partial| partial.message_bytes());
        let whole = last && held == 0;
        if !whole && !payload.is_empty() {
            self.partial.get_or_insert_default().append(payload, missing);
        }
        if !last {
            return Ok(None);
        }
        let compressed = match &self.partial {
            Some(partial) if held > 0 => partial.message(),
            _ => payload,
        };
        let plain = crate::deflate::inflate(compressed, self.limits.max_message_bytes)?;
        if open.text {
            utf8(&plain)?;
        }
        self.partial.get_or_insert_default().replace(plain);
        Ok(Some(if open.text { Complete::Text } else { Complete::Binary }))
    }

    #[cfg(not(feature = "deflate"))]
    fn take_compressed<'i>(
        &mut self,
        _: OpenMessage,
        _: bool,
        _: usize,
        _: &[u8],
    ) -> Result<Option<Complete<'i>>, ProtocolError> {
        Err(ProtocolError::ReservedBit)
    }

    fn take_control<'i>(
        &mut self,
        opcode: Opcode,
        complete: bool,
        payload: &'i mut [u8],
    ) -> Result<Option<Complete<'i>>, ProtocolError> {
        let begun = self.partial.as_ref().is_some_and(|partial| !partial.control().is_empty());
        if complete && !begun {
            let message = control(opcode, payload)?;
            self.finished = opcode == Opcode::Close;
            return Ok(Some(Complete::Whole(message)));
        }
        if !payload.is_empty() {
            self.partial.get_or_insert_default().append_control(payload);
        }
        if !complete {
            return Ok(None);
        }
        if let Some(partial) = &self.partial {
            control(opcode, partial.control())?;
        }
        self.finished = opcode == Opcode::Close;
        Ok(Some(Complete::Control(opcode)))
    }

    /// Everything is checked here; checking what was collected once more is what safe code costs.
    fn lend<'a, 'i: 'a>(
        &'a mut self,
        complete: Complete<'i>,
    ) -> Result<Message<'a>, ProtocolError> {
        self.lent_control = matches!(complete, Complete::Control(_));
        let partial = self.partial.as_deref();
        let message = partial.map_or(&[][..], Partial::message);
        match complete {
            Complete::Whole(message) => Ok(message),
            Complete::Text => utf8(message).map(Message::Text),
            Complete::Binary => Ok(Message::Binary(message)),
            Complete::Control(opcode) => control(opcode, partial.map_or(&[], Partial::control)),
        }
    }

    /// Frees what the last call lent, and all if nothing is incomplete.
    fn free_lent(&mut self) {
        let lent_control = mem::take(&mut self.lent_control);
        if self.finished || (self.message.is_none() && self.frame.is_none()) {
            self.partial = None;
        } else if lent_control && let Some(partial) = &mut self.partial {
            partial.clear_control();
        }
    }

    fn finish(&mut self) {
        self.finished = true;
        self.partial = None;
    }
}
