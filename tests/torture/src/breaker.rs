//! Breaks things and makes them whole again.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use parlour_harness::{
    history::{Recorder, What},
    process::Server,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tokio::{
    task::{JoinHandle, block_in_place},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    cluster::Cluster,
    crowd::{self, SlowReaders},
    fault::{Bad, Fault, Step},
    proxy::{Cut, Flow, Lane, Proxy, Trap},
};

/// How long each stop and each go of a stuttering process take.
const STUTTER: Duration = Duration::from_millis(40);

/// How long the database may be waited for to commit something.
const COMMIT: Duration = Duration::from_secs(5);

/// Breaks a cluster after a plan.
pub struct Breaker {
    recorder: Arc<Recorder>,
    stutters: Vec<(usize, JoinHandle<()>)>,
    slow: Option<SlowReaders>,
    group: crowd::Group,
    /// The program that processes of a rolling restart change to and back, where one is given.
    other: Option<PathBuf>,
    /// What went wrong that no history shows.
    pub findings: Vec<String>,
    /// Faults that were carried out.
    pub count: usize,
}

impl Breaker {
    /// With a conversation whose readers may be slow.
    #[must_use]
    pub const fn new(recorder: Arc<Recorder>, group: crowd::Group, other: Option<PathBuf>) -> Self {
        Self {
            recorder,
            stutters: Vec::new(),
            slow: None,
            group,
            other,
            findings: Vec::new(),
            count: 0,
        }
    }

    /// Carries a plan out, and heals everything at its end.
    ///
    /// # Errors
    /// When something cannot be broken, or does not come back.
    pub async fn carry_out(&mut self, cluster: &mut Cluster, steps: &[Step]) -> Result<()> {
        let begun = Instant::now();
        let mut moments: Vec<(Duration, bool, Fault)> = steps
            .iter()
            .flat_map(|step| {
                [(step.at, true, step.fault), (step.at + step.lasts, false, step.fault)]
            })
            .collect();
        moments.sort_by_key(|(at, begins, _)| (*at, !*begins));
        let mut active = Vec::new();
        for (at, begins, fault) in moments {
            sleep_until(begun + at).await;
            self.watch(cluster, &active)?;
            let name = fault.to_string();
            if begins {
                self.recorder.add(What::Fault { name: name.clone(), on: true });
                active.push(fault);
                self.begin(cluster, fault).await.with_context(|| format!("{name} begins"))?;
                self.count += 1;
            } else {
                self.end(cluster, fault).await.with_context(|| format!("{name} ends"))?;
                active.retain(|other| *other != fault);
                self.recorder.add(What::Fault { name, on: false });
            }
        }
        Ok(())
    }

    /// A process that ended without being asked to did something wrong. It is started again, as a supervisor would.
    fn watch(&mut self, cluster: &mut Cluster, active: &[Fault]) -> Result<()> {
        for (number, node) in cluster.nodes.iter_mut().enumerate() {
            let down = active
                .iter()
                .any(|fault| matches!(fault, Fault::Kill(n) | Fault::Shutdown(n) if *n == number));
            if down {
                continue;
            }
            if let Some(status) = node.server.ended()? {
                let during: Vec<String> = active.iter().map(ToString::to_string).collect();
                let log = node.server.log_end();
                let end: Vec<&str> = log.lines().rev().take(3).collect();
                self.findings.push(format!(
                    "process {number} ended by itself ({status}) during {during:?}, at last: {end:?}"
                ));
                node.server.start_again()?;
            }
        }
        Ok(())
    }

    async fn begin(&mut self, cluster: &mut Cluster, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill(n) => server(cluster, n)?.kill(),
            Fault::Shutdown(n) => server(cluster, n)?.ask_to_end(),
            Fault::Freeze(n) => server(cluster, n)?.freeze(),
            Fault::Stutter(n) => self.stutter(cluster, n),
            Fault::Files(n) => limit_files(server(cluster, n)?, true),
            Fault::Clock(n, by) => set_clock(cluster, n, by),
            Fault::DiskFull => disk(cluster, crate::cluster::Disk::fill),
            Fault::Roll => self.roll(cluster).await,
            Fault::Storm => {
                doors(cluster).for_each(|door| door.cut(Cut::Rst));
                Ok(())
            }
            Fault::SlowReaders => {
                let addresses = cluster.nodes.iter().map(|node| node.server.address()).collect();
                self.slow = Some(SlowReaders::connect(&self.group, addresses).await);
                Ok(())
            }
            Fault::Client(n, bad) => worsen(proxy(cluster, n, Link::Door)?, bad),
            Fault::PostgresKill => kill_postgres(cluster),
            Fault::PostgresFreeze => signal_postgres(cluster, Signal::STOP),
            Fault::PostgresKillInCommit => kill_in_commit(cluster).await,
            Fault::Postgres(n, bad) => worsen(proxy(cluster, n, Link::Store)?, bad),
            Fault::Commit(n, trap) => {
                proxy(cluster, n, Link::Store)?.set(|weather| weather.trap = Some(trap));
                Ok(())
            }
            Fault::RedisKill => block_in_place(|| redis(cluster)?.kill()),
            Fault::RedisFreeze => redis(cluster)?.process().context("no Redis")?.freeze(),
            Fault::RedisFlush => flush(redis(cluster)?.port()).await,
            Fault::Redis(n, bad) => worsen(proxy(cluster, n, Link::Bus)?, bad),
            Fault::Bus(n, prank) => {
                proxy(cluster, n, Link::Bus)?.set(|weather| weather.prank = Some(prank));
                Ok(())
            }
        }
    }

    async fn end(&mut self, cluster: &mut Cluster, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill(n) => server(cluster, n)?.start_again(),
            Fault::Shutdown(n) => {
                let server = server(cluster, n)?;
                wait_for_end(server, &mut self.findings).await?;
                server.start_again()
            }
            Fault::Freeze(n) => server(cluster, n)?.thaw(),
            Fault::Stutter(n) => {
                let of = |(number, _): &mut (usize, JoinHandle<()>)| *number == n;
                self.stutters.extract_if(.., of).for_each(|(_, task)| task.abort());
                server(cluster, n)?.thaw()
            }
            Fault::Files(n) => limit_files(server(cluster, n)?, false),
            Fault::Clock(n, _) => set_clock(cluster, n, 0),
            Fault::DiskFull => disk(cluster, crate::cluster::Disk::free),
            Fault::Roll | Fault::Storm | Fault::RedisFlush => Ok(()),
            Fault::SlowReaders => {
                if let Some(slow) = self.slow.take() {
                    self.findings.extend(slow.judged().await);
                }
                Ok(())
            }
            Fault::Client(n, bad) => better(proxy(cluster, n, Link::Door)?, bad),
            Fault::PostgresKill | Fault::PostgresKillInCommit => {
                block_in_place(|| postgres(cluster)?.restart())
            }
            Fault::PostgresFreeze => signal_postgres(cluster, Signal::CONT),
            Fault::Postgres(n, bad) => better(proxy(cluster, n, Link::Store)?, bad),
            Fault::Commit(n, _) => {
                proxy(cluster, n, Link::Store)?.heal();
                Ok(())
            }
            Fault::RedisKill => block_in_place(|| redis(cluster)?.restart()),
            Fault::RedisFreeze => redis(cluster)?.process().context("no Redis")?.thaw(),
            Fault::Redis(n, bad) => better(proxy(cluster, n, Link::Bus)?, bad),
            Fault::Bus(n, _) => {
                proxy(cluster, n, Link::Bus)?.heal();
                Ok(())
            }
        }
    }

    fn stutter(&mut self, cluster: &Cluster, n: usize) -> Result<()> {
        let pid = cluster.nodes.get(n).context("no such process")?.server.pid();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
        let task = tokio::spawn(async move {
            loop {
                for signal in [Signal::STOP, Signal::CONT] {
                    // It may have been killed meanwhile.
                    let _ = kill_process(pid, signal);
                    sleep(STUTTER).await;
                }
            }
        });
        self.stutters.push((n, task));
        Ok(())
    }

    /// One process after the other, each only when the one before serves again.
    async fn roll(&mut self, cluster: &mut Cluster) -> Result<()> {
        for node in &mut cluster.nodes {
            node.server.ask_to_end()?;
            wait_for_end(&mut node.server, &mut self.findings).await?;
            if let Some(other) = &mut self.other {
                std::mem::swap(&mut node.server.options().binary, other);
            }
            node.server.restart().await?;
        }
        Ok(())
    }
}

/// G18: a process that is asked to end does so within 30 s.
async fn wait_for_end(server: &mut Server, findings: &mut Vec<String>) -> Result<()> {
    let begun = Instant::now();
    loop {
        if let Some(status) = server.ended()? {
            if !status.success() {
                findings.push(format!(
                    "a process ended with {status} after SIGTERM\n{}",
                    server.log_end()
                ));
            }
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(35) {
            findings.push(format!("a process did not end after SIGTERM\n{}", server.log_end()));
            return server.kill();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[derive(Clone, Copy)]
enum Link {
    Door,
    Store,
    Bus,
}

fn proxy(cluster: &Cluster, n: usize, link: Link) -> Result<&Proxy> {
    let node = cluster.nodes.get(n).context("no such process")?;
    let proxy = match link {
        Link::Door => &node.door,
        Link::Store => &node.store,
        Link::Bus => &node.bus,
    };
    proxy.as_ref().context("no such link")
}

fn doors(cluster: &Cluster) -> impl Iterator<Item = &Proxy> {
    cluster.nodes.iter().filter_map(|node| node.door.as_ref())
}

fn server(cluster: &mut Cluster, n: usize) -> Result<&mut Server> {
    Ok(&mut cluster.nodes.get_mut(n).context("no such process")?.server)
}

fn postgres(cluster: &mut Cluster) -> Result<&mut parlour_engines::Postgres> {
    Ok(&mut cluster.truth.as_mut().context("no PostgreSQL")?.engine)
}

fn redis(cluster: &mut Cluster) -> Result<&mut parlour_engines::Redis> {
    cluster.bus.as_mut().context("no Redis")
}

fn disk(cluster: &Cluster, change: fn(&crate::cluster::Disk) -> Result<()>) -> Result<()> {
    cluster.nodes.iter().filter_map(|node| node.disk.as_ref()).try_for_each(change)
}

/// Makes the weather of a link bad.
#[expect(clippy::unnecessary_wraps, reason = "as the others of its kind")]
fn worsen(proxy: &Proxy, bad: Bad) -> Result<()> {
    let lane = |flow| Lane { flow, ..Lane::default() };
    proxy.set(|weather| match bad {
        Bad::Delay => {
            let slow = Lane { delay: Duration::from_millis(120), ..Lane::default() };
            (weather.up, weather.down) = (slow, slow);
        }
        Bad::Throttle => {
            let slow = Lane { rate: Some(40_000), ..Lane::default() };
            (weather.up, weather.down) = (slow, slow);
        }
        Bad::StallUp => weather.up = lane(Flow::Stall),
        Bad::StallDown => weather.down = lane(Flow::Stall),
        Bad::HoleUp => weather.up = lane(Flow::Hole),
        Bad::HoleDown => weather.down = lane(Flow::Hole),
        Bad::Hole => (weather.up, weather.down) = (lane(Flow::Hole), lane(Flow::Hole)),
        Bad::CutAfter(bytes) => weather.down.cut_after = Some(bytes),
        Bad::Refuse => weather.refuse = true,
        Bad::Cut(_) => {}
    });
    match bad {
        Bad::Cut(how) => proxy.cut(how),
        Bad::Refuse => proxy.cut(Cut::Rst),
        _ => {}
    }
    Ok(())
}

/// Makes it good again.
#[expect(clippy::unnecessary_wraps, reason = "as the others of its kind")]
fn better(proxy: &Proxy, bad: Bad) -> Result<()> {
    if let Bad::Cut(how) = bad {
        proxy.cut(how);
    }
    proxy.heal();
    Ok(())
}

/// Leaves a process no room for another descriptor, or gives it all of it back.
fn limit_files(server: &Server, low: bool) -> Result<()> {
    let number = server.pid();
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let all = getrlimit(Resource::Nofile);
    let current = if low {
        Some(fs::read_dir(format!("/proc/{number}/fd"))?.count() as u64)
    } else {
        all.current
    };
    prlimit(pid, Resource::Nofile, Rlimit { current, maximum: all.maximum })?;
    Ok(())
}

fn set_clock(cluster: &Cluster, n: usize, by: i64) -> Result<()> {
    let clock = cluster.nodes.get(n).and_then(|node| node.clock.as_ref());
    Ok(fs::write(clock.context("no clock that moves")?, format!("{by:+}\n"))?)
}

/// Every process of PostgreSQL's, the first one first.
fn family(cluster: &mut Cluster) -> Result<Vec<Pid>> {
    let first = postgres(cluster)?.process().context("PostgreSQL does not run")?.pid();
    let mut pids = vec![first];
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if parent == Some(first) {
            pids.push(pid);
        }
    }
    Ok(pids.into_iter().filter_map(Pid::from_raw).collect())
}

fn signal_postgres(cluster: &mut Cluster, signal: Signal) -> Result<()> {
    for pid in family(cluster)? {
        // A backend may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
    Ok(())
}

fn kill_postgres(cluster: &mut Cluster) -> Result<()> {
    signal_postgres(cluster, Signal::KILL)?;
    block_in_place(|| postgres(cluster)?.kill())
}

/// Kills it when the next commit goes by.
async fn kill_in_commit(cluster: &mut Cluster) -> Result<()> {
    let stores: Vec<&Proxy> = cluster.nodes.iter().filter_map(|node| node.store.as_ref()).collect();
    let mut commits: Vec<_> = stores.iter().map(|proxy| proxy.commits()).collect();
    stores.iter().for_each(|proxy| proxy.set(|weather| weather.trap = Some(Trap::Tell)));
    let met = commits.iter_mut().map(|commits| Box::pin(commits.changed()));
    // Where nothing commits there is nothing to be in the middle of.
    let _ = timeout(COMMIT, futures_util::future::select_all(met)).await;
    stores.iter().for_each(|proxy| proxy.heal());
    kill_postgres(cluster)
}

async fn flush(port: u16) -> Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let flush = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"*1\r\n$8\r\nFLUSHALL\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        ensure!(&answer == b"+OK\r\n", "Redis does not forget");
        Ok(())
    };
    timeout(Duration::from_secs(5), flush).await.context("Redis does not answer")?
}

/// Good weather everywhere.
pub fn heal(cluster: &Cluster) {
    cluster.nodes.iter().flat_map(crate::cluster::Node::proxies).for_each(Proxy::heal);
}
