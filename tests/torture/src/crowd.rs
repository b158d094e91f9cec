//! Readers that stop reading.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use parlour_harness::{
    load::{
        tongue::Tongue,
        wire::{Reader, Writer},
    },
    token,
};
use tokio::time::timeout;

/// A conversation with people in it who have no other client.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its id.
    pub conversation: u64,
    /// The people.
    pub users: Vec<String>,
}

/// How many readers there are.
const READERS: usize = 100;

/// How long each may take to come, and to be read out at the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sockets that are not read.
pub struct SlowReaders(Vec<(Reader, Writer)>);

impl SlowReaders {
    /// Connects a hundred of them, spread over the users and processes. Those that cannot connect, while other things
    /// are broken as well, are left out.
    pub async fn connect(group: &Group, addresses: Vec<SocketAddr>) -> Self {
        let all = (0..READERS).filter_map(|number| {
            let user = group.users.get(number % group.users.len().max(1))?;
            let address = *addresses.get(number % addresses.len().max(1))?;
            Some(async move { timeout(PATIENCE, open(address, user, group.conversation)).await })
        });
        let opened = futures_util::future::join_all(all).await;
        Self(opened.into_iter().flatten().flatten().collect())
    }

    /// Reads what has waited; gives what is wrong. Those that the server has closed were too slow, and are told so.
    pub async fn judged(self) -> Vec<String> {
        let mut findings = Vec::new();
        for (mut reader, mut writer) in self.0 {
            let read = timeout(Duration::from_millis(200), async {
                loop {
                    if let Err(error) = reader.text(&mut writer).await {
                        return format!("{error:#}");
                    }
                }
            });
            let Ok(end) = read.await else { continue };
            if end.contains("closed with") && !end.contains("4508") && !end.contains("1012") {
                findings.push(format!("a slow reader was told something else: {end}"));
            }
        }
        findings.truncate(3);
        findings
    }
}

async fn open(address: SocketAddr, user: &str, conversation: u64) -> Result<(Reader, Writer)> {
    let token = token::for_user(user)?;
    let (mut reader, mut writer) = Tongue::Native.open(address, &token, conversation).await?;
    Tongue::Native.resume(&mut reader, &mut writer, None).await.context("resume")?;
    Ok((reader, writer))
}
