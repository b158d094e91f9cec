//! What the crowd speaks: the native protocol, or the dialect of an existing client.

use std::{net::SocketAddr, str::FromStr};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    pairs::answer,
    wire::{Reader, Writer, find, open_at},
};

/// One way to speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tongue {
    /// The native protocol.
    Native,
    /// One socket a user, messages to a user.
    Direct,
    /// One socket a user, messages to conversations.
    Inbox,
    /// One socket a conversation.
    Room,
    /// The same, with frames that have no type.
    Plain,
}

impl Tongue {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Native, Self::Direct, Self::Inbox, Self::Room, Self::Plain];

    /// As `?dialect=` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Direct => "direct",
            Self::Inbox => "inbox",
            Self::Room => "room",
            Self::Plain => "plain",
        }
    }

    /// Opens a socket of somebody for a conversation.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open(
        self,
        address: SocketAddr,
        token: &str,
        conversation: u64,
    ) -> Result<(Reader, Writer)> {
        let name = self.name();
        let path = match self {
            Self::Native => "/api/v1/ws".to_owned(),
            Self::Direct | Self::Inbox => format!("/ws/chat/?dialect={name}"),
            Self::Room | Self::Plain => format!("/ws/chat/{conversation}/?dialect={name}"),
        };
        open_at(address, &path, token).await
    }

    /// Waits until what was missed has come and new events follow; `None` for dialects, whose clients keep no position.
    ///
    /// # Errors
    /// When the socket ends.
    pub async fn resume(
        self,
        reader: &mut Reader,
        writer: &mut Writer,
        position: Option<&Value>,
    ) -> Result<Option<(Value, Option<u64>)>> {
        if self != Self::Native {
            // Nothing is read of a socket before its return is over.
            reader.settle(writer).await?;
            return Ok(None);
        }
        let hello = reader.text(writer).await?;
        anyhow::ensure!(find(&hello, b"\"hello\"").is_some(), "the first frame is no hello");
        let positions = position.map_or_else(Vec::new, |position| vec![position]);
        let resume = json!({"type": "resume", "id": 1, "positions": positions});
        writer.text(resume.to_string().as_bytes()).await?;
        let mut covered = None;
        loop {
            let frame: Value = serde_json::from_slice(&reader.text(writer).await?)?;
            match frame["type"].as_str() {
                Some("reply") => return Ok(Some((frame, covered))),
                Some("replay") => covered = frame["up_to"].as_u64(),
                _ => {}
            }
        }
    }

    /// The frame that says something to the other one of a direct conversation.
    #[must_use]
    pub fn say(self, conversation: u64, other: &str, id: u64, text: &str) -> Value {
        match self {
            Self::Native => {
                json!({"type": "message.send", "id": id, "conversation_id": conversation, "content": text})
            }
            Self::Direct => json!({"type": "message", "receiver": other, "content": text}),
            Self::Inbox => {
                json!({"type": "chat_message", "conversation_id": conversation, "text": text})
            }
            Self::Room => json!({"type": "chat_message", "content": text, "attachments": null}),
            Self::Plain => json!({"message": text, "recipient_id": other}),
        }
    }

    /// Waits until one's own message is known to be stored.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn stored(self, reader: &mut Reader, writer: &mut Writer, text: &str) -> Result<()> {
        if self == Self::Native {
            let told = answer(reader, writer).await?;
            return if find(&told, b"\"ok\"").is_some() { Ok(()) } else { refused(&told) };
        }
        loop {
            let told = reader.text(writer).await?;
            if find(&told, b"\"error\"").is_some() {
                return refused(&told);
            }
            let is_it = match self {
                Self::Inbox => find(&told, b"\"message_sent\"").is_some(),
                _ => find(&told, text.as_bytes()).is_some(),
            };
            if is_it {
                return Ok(());
            }
        }
    }
}

fn refused(told: &[u8]) -> Result<()> {
    bail!("refused: {}", String::from_utf8_lossy(told))
}

impl FromStr for Tongue {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|tongue| tongue.name() == name);
        known.with_context(|| format!("`{name}` is no dialect of this generator"))
    }
}
