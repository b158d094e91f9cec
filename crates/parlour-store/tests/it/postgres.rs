//! The store on PostgreSQL: what it refuses, how it groups, in which order it does what it is asked.

use std::sync::Arc;

use parlour_core::{
    Code, NodeId, Seq,
    port::store::{CommitSink, Page, Store},
    testing::{alice, bob, store_suite::join_all},
};
use parlour_engines::{Database, Postgres};
use parlour_store::{OpenError, OpenOptions};

use crate::support::{Gate, Nobody, context, database, direct, hold_up, said_by, say, spawn};

/// Another number for each process that a test plays.
pub(crate) fn process(n: u64) -> OpenOptions {
    OpenOptions { node: NodeId(n), shared: true, ..OpenOptions::default() }
}

pub(crate) async fn open_with(url: &str, options: OpenOptions) -> Arc<dyn Store> {
    parlour_store::open(url, options, Arc::new(Nobody)).await.unwrap()
}

async fn refusal(url: &str) -> String {
    match parlour_store::open(url, OpenOptions::default(), Arc::new(Nobody)).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => said_by(&error),
    }
}

#[tokio::test]
async fn g1_a_server_that_may_lose_what_it_has_is_refused() {
    for (setting, said) in [
        ("fsync = off", "fsync = off"),
        ("full_page_writes = off", "full_page_writes = off"),
        ("default_transaction_read_only = on", "read-only"),
    ] {
        let Some(server) = Postgres::start(&[setting]).unwrap() else {
            return parlour_engines::skip("PostgreSQL is not installed");
        };
        let text = refusal(&server.url("postgres")).await;
        assert!(text.contains(said), "{setting}: {text}");
    }
}

#[tokio::test]
async fn a_database_with_another_encoding_is_refused() {
    let Some(database) = database() else { return };
    let other = format!("{}_latin", database.name());
    let make = format!("CREATE DATABASE {other} TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'");
    database.run(&make).unwrap();
    let text = refusal(&database.url().replace(database.name(), &other)).await;
    database.run(&format!("DROP DATABASE {other} WITH (FORCE)")).unwrap();
    assert!(text.contains("LATIN1"), "{text}");
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_named_without_its_password() {
    let port = parlour_engines::free_port().unwrap();
    for url in [
        format!("postgres://me:hunter2@127.0.0.1:{port}/chat"),
        "postgres://me:hunter2@/chat?nonsense=1".to_owned(),
        "postgres://:hunter2@localhost/chat".to_owned(),
    ] {
        let text = refusal(&url).await;
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("cannot"), "{text}");
    }
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let Some(database) = database() else { return };
    let url = database.url();
    let pending = parlour_store::pending_migrations(&url).await.unwrap();
    assert!(!pending.is_empty());
    let opens = (1..=4).map(|n| {
        let url = url.clone();
        spawn(async move { open_with(&url, process(n)).await })
    });
    let mut stores = Vec::new();
    for open in opens.collect::<Vec<_>>() {
        stores.push(open.await.unwrap());
    }
    let known = database.run("SELECT count(*) FROM parlour_migrations").unwrap();
    assert_eq!(known, pending.len().to_string());
    assert!(parlour_store::pending_migrations(&url).await.unwrap().is_empty());
    for store in stores {
        store.check().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn an_altered_newer_or_foreign_schema_is_refused() {
    let Some(database) = database() else { return };
    let url = database.url();
    parlour_store::migrate(&url).await.unwrap();
    let open = async || {
        parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await.map(|_| ())
    };
    database.run("UPDATE parlour_migrations SET sha256 = 'x' || sha256").unwrap();
    assert!(matches!(open().await, Err(OpenError::Altered { .. })));
    database.run("UPDATE parlour_migrations SET sha256 = substr(sha256, 2)").unwrap();
    database.run("INSERT INTO parlour_migrations VALUES (99, '0099_later', '')").unwrap();
    assert!(matches!(open().await, Err(OpenError::Newer { .. })));
    database.run("DROP TABLE parlour_migrations").unwrap();
    assert!(matches!(open().await, Err(OpenError::Foreign(_))));
}

/// A store whose sink can be held up.
async fn gated(database: &Database, options: OpenOptions) -> (Arc<dyn Store>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let store = parlour_store::open(&database.url(), options, gate.clone()).await.unwrap();
    (store, gate)
}

#[tokio::test]
async fn what_gathers_during_a_commit_shares_the_next() {
    let Some(database) = database() else { return };
    let (store, gate) = gated(&database, OpenOptions::default()).await;
    let id = direct(&store).await;
    let before = store.stats();
    let first = hold_up(&store, &gate, say(id, "first")).await;
    let sends: Vec<_> = (0..500)
        .map(|n| store.append_message(context(&alice()), say(id, &n.to_string())))
        .collect();
    assert_eq!(store.stats().queued, 501);
    gate.set(false);
    first.await.unwrap();
    for (n, sent) in join_all(sends).await.into_iter().enumerate() {
        assert_eq!(sent.unwrap().message.seq, Seq(n as u64 + 2));
    }
    let after = store.stats();
    assert_eq!(after.writes - before.writes, 501);
    assert_eq!(after.commits - before.commits, 3, "1, then 256, then 244");
}

#[tokio::test]
async fn g15_a_full_queue_refuses_what_it_cannot_hold() {
    let Some(database) = database() else { return };
    let options = OpenOptions { max_queued: 10, ..OpenOptions::default() };
    let (store, gate) = gated(&database, options).await;
    let id = direct(&store).await;
    let first = hold_up(&store, &gate, say(id, "first")).await;
    let sends: Vec<_> =
        (0..25).map(|n| store.append_message(context(&alice()), say(id, &n.to_string()))).collect();
    let read = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
    assert_eq!(read.messages.len(), 1, "reading goes on");
    gate.set(false);
    first.await.unwrap();
    let answers = join_all(sends).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    let refused: Vec<_> = refused.map(|error| error.code).collect();
    // The first one counts until it is answered.
    assert_eq!(refused, [Code::Unavailable; 16]);
    let stored = store.heads(vec![id]).await.unwrap()[0].last_seq;
    assert_eq!(stored, Seq(10), "what was refused is not stored");
}

#[tokio::test]
async fn a_step_runs_though_its_caller_has_gone() {
    let Some(database) = database() else { return };
    let store = open_with(&database.url(), OpenOptions::default()).await;
    let id = direct(&store).await;
    drop(store.append_message(context(&alice()), say(id, "nobody waits")));
    store.check().await.unwrap();
    assert_eq!(store.heads(vec![id]).await.unwrap()[0].last_seq, Seq(1));
}

/// Whoever comes back asks again; were the first edit done after all, it would undo what he has said since.
#[tokio::test]
async fn an_edit_whose_turn_comes_late_is_not_made_when_its_caller_has_gone() {
    let Some(database) = database() else { return };
    let database = Arc::new(database);
    let store = open_with(&database.url(), OpenOptions::default()).await;
    let id = direct(&store).await;
    let said = store.append_message(context(&alice()), say(id, "0")).await.unwrap().message.id;
    let held = database.clone();
    let hold = "SELECT id FROM conversations FOR UPDATE; SELECT pg_sleep(3)";
    let holder = tokio::task::spawn_blocking(move || held.run(hold).unwrap());
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while database.run(sleeps).unwrap() != "1" {}
    // The second waits for the first, which waits for the conversation.
    let edit = |text: &str| store.edit_message(context(&alice()), said, text.into());
    drop((edit("1"), edit("2")));
    holder.await.unwrap();
    store.check().await.unwrap();
    let read = store.messages(alice(), id, Page::Newest, 1).await.unwrap();
    assert_eq!(read.messages[0].content.as_ref().unwrap().text.as_ref(), "1");
}

#[tokio::test]
async fn a_panicking_sink_stops_nothing() {
    struct Panics;
    impl CommitSink for Panics {
        fn committed(&self, _: Vec<parlour_core::event::Envelope>) {
            panic!("on purpose");
        }
    }
    let Some(database) = database() else { return };
    let url = database.url();
    let store = parlour_store::open(&url, OpenOptions::default(), Arc::new(Panics)).await.unwrap();
    let id = direct(&store).await;
    for n in 1..4 {
        let sent = store.append_message(context(&alice()), say(id, "x")).await.unwrap();
        assert_eq!(sent.message.seq, Seq(n));
    }
}

/// Steps that one task calls without waiting are done in the order of its calls, whichever way they go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_what_one_task_calls_is_done_in_order() {
    let Some(database) = database() else { return };
    let store = open_with(&database.url(), OpenOptions::default()).await;
    let id = direct(&store).await;
    let first = store.append_message(context(&alice()), say(id, "0")).await.unwrap().message;
    let tasks = (0..8).map(|_| {
        let (store, first) = (store.clone(), first.id);
        spawn(async move {
            let mut seqs = Vec::new();
            for round in 0..10 {
                let say = |text: &str| store.append_message(context(&alice()), say(id, text));
                let edit = |text: String| store.edit_message(context(&alice()), first, text.into());
                let named = format!("{round} {:?}", tokio::task::id());
                let answers = vec![
                    say("a"),
                    edit(format!("one {named}")),
                    edit(format!("two {named}")),
                    say("b"),
                    say("c"),
                    edit(format!("three {named}")),
                    say("d"),
                ];
                for answer in join_all(answers).await {
                    seqs.push(answer.unwrap().message.change_seq);
                }
            }
            seqs
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let seqs = task.await.unwrap();
        assert!(seqs.is_sorted(), "{seqs:?}");
    }
}

/// Two processes in one conversation: one log, and each process hears of its own part in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_two_processes_make_one_order() {
    use parlour_core::testing::store_suite::Recorder;
    let Some(database) = database() else { return };
    let mut stores = Vec::new();
    for n in 1..=2 {
        let heard = Arc::new(Recorder::default());
        let store = parlour_store::open(&database.url(), process(n), heard.clone()).await.unwrap();
        stores.push((store, heard));
    }
    let id = direct(&stores[0].0).await;
    let tasks = stores.iter().flat_map(|(store, _)| (0..4).map(|_| store.clone())).map(|store| {
        spawn(async move {
            for n in 0..25 {
                let said = store.append_message(context(&alice()), say(id, "x")).await.unwrap();
                if n % 5 == 0 {
                    let text = format!("{n}");
                    store
                        .edit_message(context(&alice()), said.message.id, text.into())
                        .await
                        .unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let all: u64 = 8 * 30;
    let mut seqs = Vec::new();
    for (store, heard) in &stores {
        assert_eq!(store.heads(vec![id]).await.unwrap()[0].last_seq, Seq(all));
        let own: Vec<_> =
            heard.all().into_iter().filter_map(|envelope| envelope.seq).map(|seq| seq.0).collect();
        assert!(own.is_sorted(), "{own:?}");
        seqs.extend(own);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=all).collect::<Vec<_>>());
}

/// The same client id from many tasks of two processes at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_parallel_repeats_of_two_processes_make_one_message() {
    let Some(database) = database() else { return };
    let stores = [
        open_with(&database.url(), process(1)).await,
        open_with(&database.url(), process(2)).await,
    ];
    let id = direct(&stores[0]).await;
    for round in 0..10 {
        let client_id = parlour_core::ClientId::new(&round.to_string()).unwrap();
        let mut message = say(id, "x");
        message.client_id = Some(client_id);
        let tasks = (0..8).map(|n| {
            let (store, message) = (stores[n % 2].clone(), message.clone());
            spawn(async move { store.append_message(context(&alice()), message).await })
        });
        let mut firsts = 0;
        for task in tasks.collect::<Vec<_>>() {
            let answer = task.await.unwrap().unwrap();
            assert_eq!(answer.message.seq, Seq(round + 1));
            firsts += u32::from(!answer.duplicate);
        }
        assert_eq!(firsts, 1);
    }
}

/// Encryption: asked for, and with and without asking who answers.
#[tokio::test]
async fn connections_are_encrypted_and_servers_are_verified_on_demand() {
    let Some(mut server) = Postgres::start(&[]).unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let data = server.folder().join("data");
    // Without the system's settings, which make every certificate an authority.
    std::fs::write(data.join("req.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
            "-config", "req.cnf",
        ])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "server.key",
            "-out",
            "server.crt",
        ])
        .current_dir(&data)
        .output();
    let Ok(made) = made else { return parlour_engines::skip("openssl is not installed") };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for name in ["server.key", "server.crt"] {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let (file, owner) = (data.join(name), std::fs::metadata(&data).unwrap());
        std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let conf = data.join("postgresql.conf");
    let settings = std::fs::read_to_string(&conf).unwrap() + "ssl = on\n";
    std::fs::write(&conf, settings).unwrap();
    let rules = data.join("pg_hba.conf");
    std::fs::write(&rules, "hostssl all all 127.0.0.1/32 trust\nlocal all all trust\n").unwrap();
    server.restart().unwrap();
    let (url, root) = (server.url("postgres"), data.join("server.crt"));
    let verified = format!("{url}?sslmode=verify-full&sslrootcert={}", root.display());
    for url in [url.clone(), format!("{url}?sslmode=require"), verified.clone()] {
        let store = open_with(&url, OpenOptions::default()).await;
        store.check().await.unwrap();
        store.close().await;
    }
    let plain = refusal(&format!("{url}?sslmode=disable")).await;
    assert!(plain.contains("no encryption"), "{plain}");
    let stranger = refusal(&format!("{url}?sslmode=verify-full")).await;
    assert!(stranger.contains("certificate"), "{stranger}");
    let misnamed = refusal(&verified.replace("127.0.0.1", "localhost")).await;
    assert!(misnamed.contains("certificate"), "{misnamed}");
}
