//! How far everybody has received and read, as a device learns it; and whether its connection still lives.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Device;
use crate::{
    history::{Change, Kind, What},
    rest::Rest,
    wire::number,
};

impl Device {
    /// How long a ping has had no answer; `None` without a connection.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        self.socket.as_ref().map(|(_, socket)| socket.silence())
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn ping(&mut self) -> Result<()> {
        let (_, socket) = self.socket.as_mut().context("not connected")?;
        socket.ping().await
    }

    /// Loads the marks of one conversation that it does not know yet. Whether there was one.
    ///
    /// # Errors
    /// When the server does not answer; it may be called again.
    pub async fn load_marks(&mut self) -> Result<bool> {
        let Some(conversation) = self.unloaded.first().copied() else { return Ok(false) };
        let rest = Rest::new(self.address, &self.user)?.patience(self.patience);
        let answer = rest.get(&format!("/api/v1/conversations/{conversation}")).await?;
        if answer.status != 404 {
            let body = answer.ok()?;
            for participant in body["participants"].as_array().into_iter().flatten() {
                self.mark(conversation, participant)?;
            }
        }
        self.unloaded.remove(&conversation);
        Ok(true)
    }

    /// Whether it has loaded the marks of all its conversations.
    #[must_use]
    pub fn has_loaded(&self) -> bool {
        self.unloaded.is_empty()
    }

    /// By user: received up to, read up to.
    #[must_use]
    pub fn marks(&self, conversation: u64) -> BTreeMap<String, (u64, u64)> {
        self.marks.of(conversation)
    }

    /// Records the marks that it holds.
    pub fn record_marks(&self) {
        for conversation in self.held.conversations() {
            let (source, marks) = (format!("device:{}", self.name), self.marks(conversation));
            self.recorder.add(What::Marks { source, conversation, marks, unread: None });
        }
    }

    /// A receipt came live.
    pub(super) fn receipt(&mut self, frame: &Value) -> Result<()> {
        let conversation = number(frame, "conversation_id")?;
        let version = number(frame, "version")?;
        match self.held.position(conversation) {
            // It was held back during a resume, and the replay had a newer one.
            Some(position) if position.receipts >= version => return Ok(()),
            Some(position) => position.receipts = version,
            None => {}
        }
        self.marked(conversation, frame)
    }

    /// A receipt came, in its order.
    pub(super) fn marked(&mut self, conversation: u64, receipt: &Value) -> Result<()> {
        let (user, delivered, read) = self.mark(conversation, receipt)?;
        let device = self.name.clone();
        self.recorder.add(What::Receipt { device, conversation, user, delivered, read });
        Ok(())
    }

    fn mark(&mut self, conversation: u64, of: &Value) -> Result<(String, u64, u64)> {
        let user = of["user_id"].as_str().with_context(|| format!("whose is {of}?"))?;
        let (delivered, read) = (number(of, "delivered_seq")?, number(of, "read_seq")?);
        self.marks.take(conversation, user, (delivered, read));
        Ok((user.into(), delivered, read))
    }

    /// Somebody came or went: his marks begin anew.
    pub(super) fn moved(&mut self, conversation: u64, change: &Change) {
        if let (Kind::Joined | Kind::Left, Some(user)) = (change.kind, &change.user) {
            self.marks.forget_user(conversation, user);
            self.unloaded.insert(conversation);
        }
    }
}
