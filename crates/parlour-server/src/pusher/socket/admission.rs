//! Whether a client may have a channel, and as whom.

use parlour_core::UserId;
use parlour_wire::pusher::{
    ChannelName, ChatChannel, Member, Refusal, Signer, Subscribe, channel::Access, presence,
};

use super::Client;
use crate::pusher::chat::Acting;

impl Client {
    /// As whom the client acts on a channel of the chat: as the user for whom this server allowed it the channel;
    /// else as the one whom the application's signature names, by the channel, by the member that joins, by the
    /// socket's sign-in, or by the user's own channel that it has.
    pub(super) fn acting(
        &self,
        what: &ChatChannel,
        channel: &ChannelName,
        member: Option<&Member>,
    ) -> Option<Acting> {
        let channels = &self.gateway.pusher.channels;
        let granted = channels.granted(&self.socket, channel);
        let named = match (what, member) {
            (ChatChannel::User(user), _) => Some(user.clone()),
            (_, Some(member)) => Some(UserId::new(&member.user_id).ok()?),
            _ => None,
        };
        if let Some(granted) = granted
            && named.as_ref().is_none_or(|named| granted.actor.user == *named)
        {
            return Some(Acting::granted(granted));
        }
        if let Some(named) = named {
            return Some(Acting::vouched_for(named));
        }
        if let Some(user) = channels.signed_in(&self.socket) {
            return UserId::new(&user.id).ok().map(Acting::vouched_for);
        }
        let own = self.chats.values().find(|chat| chat.conn().scope.is_none())?;
        Some(own.acting())
    }

    /// Whether the client has shown that it may have the channel; on a presence channel as whom.
    pub(super) fn admitted(&self, wanted: &Subscribe) -> Result<Option<Member>, Refusal> {
        let Subscribe { channel, auth, channel_data, .. } = wanted;
        if !channel.needs_signature() {
            return Ok(None);
        }
        let data = channel_data.as_deref();
        let signer = self.signer(auth.as_deref().unwrap_or_default());
        let signer = signer.ok_or(Refusal::InvalidKey)?;
        signer.verify_channel(auth.as_deref(), self.socket.id, channel, data)?;
        if channel.access() != Access::Presence {
            return Ok(None);
        }
        match data {
            Some(data) => presence::channel_data(data, &self.app().limits).map(Some),
            None => {
                let user = self.gateway.pusher.channels.signed_in(&self.socket);
                let user = user.ok_or(Refusal::InvalidChannelData("it is missing"))?;
                Ok(Some(user.member()))
            }
        }
    }

    /// What checks an `auth`: the key before its colon, if it is one of the application's. What has none is checked,
    /// in vain, by any.
    pub(super) fn signer(&self, auth: &str) -> Option<&Signer> {
        match auth.split_once(':') {
            Some((key, _)) => self.app().signer(key),
            None => self.app().default_signer(),
        }
    }
}
