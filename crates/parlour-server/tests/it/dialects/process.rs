//! The program in a process of its own, so that it can be ended without a word.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{Stage, stage::ALICE};
use crate::{
    gateway::server::{SECRET, Server},
    support::PROGRAM,
};

/// A running program, and people who use it.
pub(super) struct Process {
    program: Program,
    pub(super) stage: Stage,
}

impl Process {
    pub(super) fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    /// Ends it as a power cut does, and starts it on the same database.
    pub(super) fn killed(self) -> Self {
        drop(self.program);
        Self::on(self.stage.server.end())
    }

    fn on(folder: tempfile::TempDir) -> Self {
        let database = format!("sqlite://{}/parlour.db", folder.path().display());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(PROGRAM)
            .current_dir(folder.path())
            .env_clear()
            .env("DATABASE_URL", database)
            .env("PARLOUR_JWT_SECRET", SECRET)
            .env("PARLOUR_RATE_LIMITS", "off")
            .env("PARLOUR_LISTEN", address.to_string())
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let program = Program(child.unwrap());
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "it does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Self { program, stage: Stage::on(Server::elsewhere(address, folder)) }
    }

    /// Waits until somebody is shown that a message has reached alice.
    pub(super) fn wait_for_delivery(&self, watcher: &str, message: u64) {
        let path = format!("/api/v1/conversations/{}/messages", self.stage.talk);
        let token = self.stage.server.token(watcher);
        let (_, page) = self.stage.server.get(&path, &token);
        let mut results = page["results"].as_array().unwrap().iter();
        let seq = results.find(|found| found["id"] == message).unwrap()["seq"].clone();
        let mut watcher = self.stage.server.live(watcher);
        let path = format!("/api/v1/conversations/{}/participants", self.stage.talk);
        let delivered = |people: &serde_json::Value| {
            let mut people = people["results"].as_array().unwrap().iter();
            people.any(|one| one["user_id"] == ALICE && one["delivered_seq"] == seq)
        };
        if !delivered(&self.stage.server.get(&path, &token).1) {
            watcher.wait(|frame| {
                frame["type"] == "receipt"
                    && frame["user_id"] == ALICE
                    && frame["delivered_seq"] == seq
            });
        }
    }
}

/// Nothing is left running, whatever becomes of a test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _nobody_waits = self.0.wait();
    }
}
