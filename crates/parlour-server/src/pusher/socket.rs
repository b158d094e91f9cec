//! One client of the Pusher protocol: what its frames ask, and the answers.

mod admission;
mod rates;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parlour_core::limits::Bucket;
use parlour_wire::{
    Caller,
    pusher::{
        ChannelName, ClientFrame, Payload, Refusal, SignedInUser, Subscribe,
        chat::{Asked, asked},
        decode::{self, Refused},
        encode, presence,
    },
};

use super::{
    apps::App,
    channels::{Device, Dirty, Joining, Key, Owned, Socket, Warmth},
    chat::{self, Carried, Chat},
    door,
};
use crate::gateway::{
    Gateway,
    client::BROKEN_FRAMES,
    close::Close,
    connection::{self, Open, Reader, Speaker},
    frames::frame,
    upgrade::Upgraded,
};
use crate::hash::HashMap;

/// Serves a socket until it ends.
pub(super) async fn run(gateway: Arc<Gateway>, app: Arc<App>, upgraded: Upgraded, device: Device) {
    let link = door::link(&gateway);
    link.timing.heard.store(gateway.seconds(), Relaxed);
    let socket = match gateway.pusher.channels.open(&app, &link, device) {
        Ok(socket) => socket,
        Err(code) => return door::goodbye(&gateway, &link, upgraded, code).await,
    };
    let timeout = app.limits.activity_timeout;
    link.send(frame(|out| encode::connection_established(socket.id, timeout, out)));
    let early = link.attach(upgraded);
    let client = Client {
        gateway: gateway.clone(),
        socket: socket.clone(),
        chats: HashMap::default(),
        joining: HashMap::default(),
        joins: 0,
        signing_in: false,
        asked: Bucket::default(),
        events: Bucket::default(),
        unwritten: Dirty::default(),
        refused: 0,
        broken: 0,
    };
    let decoder = connection::decoder(&gateway, link.compression());
    let mut reader = Reader::new(gateway.clone(), link, decoder, client);
    reader.serve(early).await;
    let client = reader.into_speaker();
    gateway.pusher.channels.close(&socket);
    for chat in client.chats.into_values() {
        chat.leave(&gateway).await;
    }
}

/// What a socket's texts mean.
struct Client {
    gateway: Arc<Gateway>,
    socket: Arc<Socket>,
    /// Its channels that carry the chat.
    chats: HashMap<ChannelName, Chat>,
    /// Channels that it will have as soon as this process hears of them what others say, each with the number of the
    /// subscribe: it may be taken back meanwhile, and come again.
    joining: HashMap<ChannelName, u64>,
    joins: u64,
    /// It is being signed in. What it asks after that waits.
    signing_in: bool,
    /// Takes everything but client events.
    asked: Bucket,
    events: Bucket,
    /// Those who hear what it said last.
    unwritten: Dirty,
    refused: u32,
    broken: u32,
}

/// Why a subscribe was refused, told to its channel; but the one that stands is not in question.
fn of_subscribe(refusal: Refusal, channel: ChannelName) -> Refused {
    match refusal {
        Refusal::AlreadySubscribed(_) => refusal.into(),
        refusal => Refused { refusal, channel: Some(channel) },
    }
}

/// What took a while.
enum Done {
    /// The chat has done what was asked.
    Carried(Carried),
    /// A channel can be joined now.
    Joins { number: u64, joining: Owned, _warmth: Warmth },
    /// A user can be signed in now.
    SignsIn { user: SignedInUser, user_data: String, _warmth: Warmth },
}

impl Speaker for Client {
    type Asked = Result<ClientFrame, Refused>;
    type Answer = Done;

    fn read(&self, text: &str) -> Self::Asked {
        decode::frame(text, &self.socket.app.limits)
    }

    fn handle(&mut self, asked: Self::Asked, open: &mut Open<Done>) {
        self.gateway.metrics.frames_received.inc();
        let is_broken = matches!(&asked, Err(refused) if refused.refusal == Refusal::InvalidJson);
        self.broken = if is_broken { self.broken + 1 } else { 0 };
        if self.broken >= BROKEN_FRAMES {
            return self.socket.link.close(&Close::PROTOCOL_BROKEN);
        }
        let outcome = match asked {
            Ok(ClientFrame::Ping) => {
                self.socket.link.send(frame(encode::pong));
                Ok(())
            }
            // That it came is all that it says.
            Ok(ClientFrame::Pong) => Ok(()),
            Ok(ClientFrame::Subscribe(wanted)) => {
                let channel = wanted.channel.clone();
                let outcome = self.limit().and_then(|()| self.subscribe(wanted, open));
                outcome.map_err(|refusal| of_subscribe(refusal, channel))
            }
            Ok(ClientFrame::Unsubscribe(channel)) => {
                self.limit().and_then(|()| self.unsubscribe(&channel)).map_err(Refused::from)
            }
            Ok(ClientFrame::SignIn { auth, user_data }) => {
                let outcome = self.limit().and_then(|()| self.sign_in(&auth, user_data, open));
                outcome.map_err(Refused::from)
            }
            Ok(ClientFrame::ClientEvent { channel, event, data }) => {
                self.client_event(&channel, &event, &data, open).map_err(Refused::from)
            }
            Err(refused) => self.limit().map_err(Refused::from).and(Err(refused)),
        };
        if let Err(refused) = outcome {
            self.refuse(&refused);
        }
    }

    fn answer(&mut self, answer: Done) {
        let outcome = match answer {
            Done::Carried(carried) => return carried.tell(&self.gateway),
            Done::Joins { number, joining, .. } => {
                let Owned { channel, member, history } = joining;
                // It was taken back.
                if self.joining.get(&channel) != Some(&number) {
                    return;
                }
                self.joining.remove(&channel);
                let joining = Joining { channel: &channel, member, history, conn: None };
                let joined = self.gateway.pusher.channels.subscribe(&self.socket, joining);
                joined.map_err(|refusal| of_subscribe(refusal, channel))
            }
            Done::SignsIn { user, user_data, .. } => {
                self.signing_in = false;
                let channels = &self.gateway.pusher.channels;
                channels.sign_in(&self.socket, &user, &user_data).map_err(Refused::from)
            }
        };
        if let Err(refused) = outcome {
            self.refuse(&refused);
        }
    }

    fn is_ready(&self, open: usize) -> bool {
        open < self.gateway.limits.open_commands && !self.signing_in
    }

    fn woken(&mut self) {
        self.reap();
    }

    fn write(&mut self) {
        self.unwritten.flush();
    }

    fn gathers(&self) -> bool {
        self.unwritten.len() > 1
    }
}

impl Client {
    fn app(&self) -> &App {
        &self.socket.app
    }

    /// Says why something was not done; a refused subscribe is told to its channel.
    fn refuse(&self, Refused { refusal, channel }: &Refused) {
        self.gateway.metrics.refused.inc();
        self.socket.link.send(frame(|out| match channel {
            Some(channel) => encode::subscription_error(channel, refusal, out),
            None => encode::refusal(refusal, out),
        }));
    }

    fn subscribe(&mut self, wanted: Subscribe, open: &mut Open<Done>) -> Result<(), Refusal> {
        self.reap();
        let channel = &wanted.channel;
        if self.chats.contains_key(channel) || self.joining.contains_key(channel) {
            return Err(Refusal::AlreadySubscribed(channel.clone()));
        }
        let member = self.admitted(&wanted)?;
        let Some(what) = channel.chat().filter(|_| self.app().carries_chat) else {
            let joining = Owned { channel: wanted.channel, member, history: wanted.history };
            return self.join(joining, open);
        };
        if self.chats.len() >= self.gateway.pusher.channels.channels_per_connection() {
            return Err(Refusal::TooManyChannels(self.chats.len()));
        }
        let acting = self.acting(&what, channel, member.as_ref()).ok_or(Refusal::Forbidden)?;
        let joining = Owned { channel: channel.clone(), member, history: wanted.history };
        let chat = Chat::open(&self.gateway, &self.socket, &what, acting, joining);
        self.chats.insert(wanted.channel, chat);
        Ok(())
    }

    /// Joins a channel, at once or as soon as this process hears what others say of it.
    fn join(&mut self, joining: Owned, open: &mut Open<Done>) -> Result<(), Refusal> {
        let (channels, app) = (&self.gateway.pusher.channels, &self.socket.app);
        let waiting = match channels.is_on(&self.socket, &joining.channel) {
            true => None,
            false => channels.cold(app, vec![Key::Channel(joining.channel.clone())]),
        };
        let Some(waiting) = waiting else {
            let Owned { channel, member, history } = joining;
            let joining = Joining { channel: &channel, member, history, conn: None };
            return channels.subscribe(&self.socket, joining);
        };
        self.joins += 1;
        let number = self.joins;
        self.joining.insert(joining.channel.clone(), number);
        open.push(Box::pin(async move { Done::Joins { number, joining, _warmth: waiting.await } }));
        Ok(())
    }

    fn unsubscribe(&mut self, channel: &ChannelName) -> Result<(), Refusal> {
        if self.joining.remove(channel).is_some() {
            return Ok(());
        }
        let left = self.gateway.pusher.channels.unsubscribe(&self.socket, channel);
        match self.chats.remove(channel) {
            Some(chat) => {
                chat.leave_apart(&self.gateway);
                Ok(())
            }
            None => left,
        }
    }

    fn sign_in(
        &mut self,
        auth: &str,
        user_data: String,
        open: &mut Open<Done>,
    ) -> Result<(), Refusal> {
        let signer = self.signer(auth).or_else(|| self.app().default_signer());
        let signer = signer.ok_or(Refusal::InvalidKey)?;
        signer.verify_user(auth, self.socket.id, &user_data)?;
        let user = presence::user_data(&user_data, &self.app().limits)?;
        let channels = &self.gateway.pusher.channels;
        let known = std::iter::once(&user.id).chain(&user.watchlist);
        let keys = known.map(|id| Key::User(id.clone())).collect();
        let Some(waiting) = channels.cold(&self.socket.app, keys) else {
            return channels.sign_in(&self.socket, &user, &user_data);
        };
        self.signing_in = true;
        open.push(Box::pin(
            async move { Done::SignsIn { user, user_data, _warmth: waiting.await } },
        ));
        Ok(())
    }

    fn client_event(
        &mut self,
        channel: &ChannelName,
        event: &str,
        data: &Payload,
        open: &mut Open<Done>,
    ) -> Result<(), Refusal> {
        self.limit_events()?;
        if let Some(chat) = self.chats.get(channel) {
            if !self.gateway.pusher.channels.is_on(&self.socket, channel) {
                return Err(Refusal::ClientEventNotSubscribed(channel.clone()));
            }
            let conn = chat.conn();
            let caller =
                Caller { user: &conn.user, scope: conn.scope, limits: &self.gateway.limits };
            match asked(event, data, &caller) {
                Asked::Chat(request) => {
                    let (gateway, conn) = (self.gateway.clone(), conn.clone());
                    chat::carry_out(&gateway, &conn, request, |work| {
                        open.push(Box::pin(async move { Done::Carried(work.await) }));
                    });
                    return Ok(());
                }
                Asked::Nothing => return Ok(()),
                Asked::Other => {}
            }
        }
        if !self.app().client_events {
            return Err(Refusal::ClientEventsDisabled);
        }
        if !channel.takes_client_events() {
            return Err(Refusal::ClientEventWrongChannel(channel.clone()));
        }
        let channels = &self.gateway.pusher.channels;
        channels.whisper(&self.socket, channel, event, data, &mut self.unwritten)
    }

    /// Takes leave of channels that were ended from elsewhere: the user was removed from the conversation, or it
    /// turned out that he may not have it.
    fn reap(&mut self) {
        let Self { chats, gateway, socket, .. } = self;
        if socket.link.is_closing() {
            return;
        }
        for (channel, chat) in chats.extract_if(|_, chat| chat.conn().is_closing()) {
            // It has none where it was refused.
            let _left = gateway.pusher.channels.unsubscribe(socket, &channel);
            chat.leave_apart(gateway);
        }
    }
}
