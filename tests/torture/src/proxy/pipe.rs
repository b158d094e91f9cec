//! One connection through a proxy: two directions, each with what the weather does to it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use parlour_harness::random::Random;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Cut, Flow, Lane, Shared, Speaks, Weather,
    postgres::{Met, Questions, Trap},
    resp::Pushes,
};

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// How one direction ended.
enum End {
    /// The reading side was closed.
    Closed,
    /// Everything is to be cut.
    Cut(Cut),
    /// The rest of the connection fell into a hole: neither side is told.
    Lost,
}

/// Carries bytes both ways until both have ended.
pub(super) async fn join(client: TcpStream, server: TcpStream, shared: &Shared, random: Random) {
    let (mut client, mut server) = (client, server);
    // A proxy adds no delay that nobody asked for.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let how = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Direction::new(shared, true, &random);
        let down = Direction::new(shared, false, &random);
        let swallow = watch::Sender::new(false);
        let mut up = std::pin::pin!(up.run(from_client, to_server, &swallow));
        let mut down = std::pin::pin!(down.run(from_server, to_client, &swallow));
        tokio::select! {
            end = &mut up => rest(end, down).await,
            end = &mut down => rest(end, up).await,
        }
    };
    if how == Cut::Rst {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// What happens to the other direction when one has ended.
async fn rest(end: End, other: impl Future<Output = End>) -> Cut {
    match end {
        End::Cut(how) => how,
        // A close is answered by a close: both peers end theirs; a half that lives on is carried.
        End::Closed | End::Lost => match other.await {
            End::Cut(how) => how,
            End::Closed | End::Lost => Cut::Fin,
        },
    }
}

/// One direction of one connection.
struct Direction<'a> {
    shared: &'a Shared,
    up: bool,
    weather: watch::Receiver<Weather>,
    /// Cuts before the connection came are not its own.
    cuts: u64,
    /// Bytes left until it is reset, for the setting that they were counted for.
    left: Option<(u64, u64)>,
    /// A hole has eaten of it: nothing that follows can make sense.
    broken: bool,
    questions: Questions,
    pushes: Pushes,
}

impl<'a> Direction<'a> {
    fn new(shared: &'a Shared, up: bool, random: &Random) -> Self {
        let weather = shared.weather.clone();
        let cuts = weather.borrow().cuts;
        let (questions, pushes) = (Questions::default(), Pushes::new(random.clone()));
        Self { shared, up, weather, cuts, left: None, broken: false, questions, pushes }
    }

    fn lane(&self) -> Lane {
        let weather = self.weather.borrow();
        if self.up { weather.up } else { weather.down }
    }

    fn is_cut(&self) -> Option<Cut> {
        let weather = self.weather.borrow();
        (weather.cuts > self.cuts).then_some(weather.cut).flatten()
    }

    async fn run(
        mut self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        swallow: &watch::Sender<bool>,
    ) -> End {
        let mut swallowed = swallow.subscribe();
        let mut buffer = vec![0; CHUNK];
        loop {
            if let Some(how) = self.is_cut() {
                return End::Cut(how);
            }
            let flow = self.lane().flow;
            let held = self.pushes.due();
            let read = tokio::select! {
                changed = self.weather.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return End::Cut(Cut::Rst),
                },
                read = from.read(&mut buffer), if flow != Flow::Stall => read,
                () = sleep_until(held.unwrap_or_else(Instant::now)), if held.is_some() => {
                    self.shared.pranks.fetch_add(self.pushes.forget_held(), Relaxed);
                    continue;
                }
            };
            let read = read.unwrap_or(0);
            self.broken |= flow == Flow::Hole;
            if self.broken || (!self.up && *swallowed.borrow_and_update()) {
                if read == 0 {
                    return End::Lost;
                }
                continue;
            }
            if read == 0 {
                // What a prank held back is lost with the connection.
                let _ = to.shutdown().await;
                return End::Closed;
            }
            let bytes = buffer.get(..read).unwrap_or_default();
            match self.pass(bytes, &mut to, swallow).await {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    async fn pass(
        &mut self,
        bytes: &[u8],
        to: &mut WriteHalf<'_>,
        swallow: &watch::Sender<bool>,
    ) -> Result<(), End> {
        let lane = self.lane();
        self.wait(&lane, bytes.len()).await?;
        let bytes = self.up_to_cut(&lane, bytes);
        let written = match (self.shared.speaks, self.up) {
            (Speaks::Redis, false) => {
                let prank = self.weather.borrow().prank;
                let (out, played) = self.pushes.pass(bytes, prank);
                self.shared.pranks.fetch_add(played, Relaxed);
                self.write(to, &out).await
            }
            (Speaks::Postgres, true) => {
                let trap = self.weather.borrow().trap;
                let met = self.questions.pass(bytes, trap.is_some());
                if let (Some(trap), Some(met)) = (trap, met) {
                    return self.spring(trap, met, bytes, to, swallow).await;
                }
                self.write(to, bytes).await
            }
            _ => self.write(to, bytes).await,
        };
        written?;
        match self.left {
            Some((_, 0)) => Err(End::Cut(Cut::Rst)),
            _ => Ok(()),
        }
    }

    /// A commit goes by.
    async fn spring(
        &self,
        trap: Trap,
        met: Met,
        bytes: &[u8],
        to: &mut WriteHalf<'_>,
        swallow: &watch::Sender<bool>,
    ) -> Result<(), End> {
        let (before, after) = bytes.split_at(met.begins.min(bytes.len()));
        if trap == Trap::CutBefore {
            // What came before it arrives; the commit does not.
            self.write(to, before).await?;
            self.shared.commits.send_modify(|count| *count += 1);
            return Err(End::Cut(Cut::Rst));
        }
        if trap == Trap::CutAfter {
            // It is carried out; the answer is lost, and then the connection.
            swallow.send_replace(true);
            self.write(to, before).await?;
            self.write(to, after).await?;
            self.shared.commits.send_modify(|count| *count += 1);
            sleep(Duration::from_millis(100)).await;
            return Err(End::Cut(Cut::Rst));
        }
        // Whoever waits for it kills the server now.
        self.shared.commits.send_modify(|count| *count += 1);
        self.write(to, before).await?;
        self.write(to, after).await
    }

    /// Waits as long as delay and rate say.
    async fn wait(&mut self, lane: &Lane, length: usize) -> Result<(), End> {
        let rate = lane.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_micros(length as u64 * 1_000_000 / rate.max(1))
        });
        let until = Instant::now() + lane.delay + rate;
        while Instant::now() < until {
            tokio::select! {
                () = sleep_until(until) => {}
                changed = self.weather.changed() => {
                    if changed.is_err() {
                        return Err(End::Cut(Cut::Rst));
                    }
                    if let Some(how) = self.is_cut() {
                        return Err(End::Cut(how));
                    }
                    if self.lane().delay.is_zero() && self.lane().rate.is_none() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// What may still pass until the connection is reset.
    fn up_to_cut<'b>(&mut self, lane: &Lane, bytes: &'b [u8]) -> &'b [u8] {
        let Some(after) = lane.cut_after else {
            self.left = None;
            return bytes;
        };
        let left = match self.left {
            Some((set, left)) if set == after => left,
            _ => after,
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.left = Some((after, left - most as u64));
        bytes.get(..most).unwrap_or_default()
    }

    /// Writes, unless everything is cut meanwhile.
    async fn write(&self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> Result<(), End> {
        let mut weather = self.weather.clone();
        let cuts = self.cuts;
        let cut = async {
            let cut = weather.wait_for(|weather| weather.cuts > cuts).await;
            cut.ok().and_then(|weather| weather.cut).unwrap_or(Cut::Rst)
        };
        tokio::select! {
            written = to.write_all(bytes) => {
                // Whoever does not read any more is not told more; the other direction ends it.
                if written.is_err() { Err(End::Closed) } else { Ok(()) }
            }
            how = cut => Err(End::Cut(how)),
        }
    }
}
