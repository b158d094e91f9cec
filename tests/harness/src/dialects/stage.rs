//! What the runs share: the server, the people, and the history to compare with.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::time::{Duration, Instant, sleep};

use super::{
    Client, Kind, Place,
    log::Said,
    speech::{message, number},
};
use crate::process::{Options, Server};

/// The key of the application that carries the chat.
pub const APP_KEY: &str = "harness-key";

/// Its secret.
pub const APP_SECRET: &str = "a-secret-of-the-pusher-application";

/// How long proof of arrival may take: it is asked for, and stored, once a second.
const PROOF: Duration = Duration::from_secs(15);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Starts a server that speaks every dialect, and takes many connections from one address.
///
/// # Errors
/// When it does not start.
pub async fn open_server(folder: &Path) -> Result<Server> {
    let options = Options::new(folder)?
        .env("PARLOUR_LIMITS_CONNECTIONS_PER_ADDRESS", "20000")
        .env("PARLOUR_LIMITS_CONNECTIONS_BEFORE_AUTH", "20000")
        .env("PARLOUR_PUSHER_KEY", APP_KEY)
        .env("PARLOUR_PUSHER_SECRET", APP_SECRET)
        .env("PARLOUR_LOG_LEVEL", "warn");
    Server::start(options).await
}

/// The direct conversation of two people.
pub(crate) struct Pair {
    pub(crate) conversation: u64,
    pub(crate) one: String,
    pub(crate) other: String,
}

impl Pair {
    /// Two people of their own for each number. Half of them have ids that are numbers, as most hosts have.
    pub(crate) async fn make(server: &Server, number: usize) -> Result<Self> {
        let id = |side: usize| match number % 2 {
            0 => (1_000 + 2 * number + side).to_string(),
            _ => format!("user-{number}-{side}"),
        };
        let (one, other) = (id(0), id(1));
        let conversation = server.rest(&one)?.create_conversation("direct", &[&other]).await?;
        Ok(Self { conversation, one, other })
    }

    /// A client of the first one.
    pub(crate) async fn first(&self, server: &Server, kind: Kind) -> Result<Client> {
        let place = Place { conversation: self.conversation, peer: Some(self.other.clone()) };
        Client::connect(server.address(), kind, &self.one, place).await
    }

    /// A client of the second one.
    pub(crate) async fn second(&self, server: &Server, kind: Kind) -> Result<Client> {
        let place = Place { conversation: self.conversation, peer: Some(self.one.clone()) };
        Client::connect(server.address(), kind, &self.other, place).await
    }

    /// Waits until the server has proof, durably, that its first one has received every message so far.
    pub(crate) async fn proved(&self, server: &Server) -> Result<()> {
        let rest = server.rest(&self.one)?;
        let path = format!("/api/v1/conversations/{}", self.conversation);
        let deadline = Instant::now() + PROOF;
        loop {
            let body = rest.get(&path).await?.ok()?;
            let delivered = number(&body, "delivered_seq")?;
            let last = number(&body["last_message"], "seq")?;
            if delivered >= last {
                return Ok(());
            }
            if Instant::now() > deadline {
                anyhow::bail!("no proof that {} has more than {delivered} of {last}", self.one);
            }
            sleep(LOOK).await;
        }
    }
}

/// The messages of a conversation that stand, as REST tells them.
pub(crate) async fn history(server: &Server, user: &str, conversation: u64) -> Result<Vec<Said>> {
    let all = server.rest(user)?.all_messages(conversation).await?;
    let read = all.iter().map(|value| message(value).with_context(|| format!("in {value}")));
    Ok(read.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}
