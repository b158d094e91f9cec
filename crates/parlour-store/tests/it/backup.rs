//! Backups are made while the server writes, and come back with a new life for every log (G24).

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parlour_core::{
    ConversationId, Seq,
    port::store::{Page, Store},
    testing::{alice, bob},
};
use parlour_store::{OpenError, OpenOptions, RestoreError, back_up, renew, restore};

use crate::support::{Folder, Nobody, context, direct, say, spawn};

async fn open(file: &Path) -> Arc<dyn Store> {
    let url = format!("sqlite://{}", file.display());
    parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await.unwrap()
}

/// What a backup holds: how many messages, all in their order without a hole.
async fn held(file: &Path, id: ConversationId) -> u64 {
    let store = open(file).await;
    let last = store.heads(vec![id]).await.unwrap()[0].last_seq;
    let page = store.messages(bob(), id, Page::After(Seq(0)), 100_000).await.unwrap();
    let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, (1..=last.0).collect::<Vec<_>>());
    store.close().await;
    last.0
}

/// While somebody writes as fast as he can, every backup holds what was acknowledged before it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g24_a_backup_is_whole_while_the_server_writes() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                store.append_message(context(&alice()), say(id, "and on")).await.unwrap();
            }
        }
    });
    let mut last = 0;
    for round in 0..5 {
        let before = store.heads(vec![id]).await.unwrap()[0].last_seq.0;
        let file = folder.path().join(format!("backup-{round}"));
        let url = folder.url();
        let to = file.clone();
        tokio::task::spawn_blocking(move || back_up(&url, &to)).await.unwrap().unwrap();
        let held = held(&file, id).await;
        assert!(held >= before, "{held} of {before} acknowledged");
        assert!(held >= last);
        last = held;
    }
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    assert!(store.heads(vec![id]).await.unwrap()[0].last_seq.0 > 5, "it was written meanwhile");
}

#[tokio::test]
async fn g24_what_comes_back_has_a_new_life_and_gives_no_id_again() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.append_message(context(&alice()), say(id, "kept")).await.unwrap();
    let backup = folder.path().join("backup");
    back_up(&folder.url(), &backup).unwrap();
    let lost = store.append_message(context(&alice()), say(id, "lost")).await.unwrap();
    let old = store.heads(vec![id]).await.unwrap()[0];
    assert!(matches!(
        restore(&folder.url(), &backup, true),
        Err(RestoreError::Open(OpenError::InUse { .. }))
    ));
    store.close().await;

    assert!(matches!(restore(&folder.url(), &backup, false), Err(RestoreError::Taken(_))));
    let aside = restore(&folder.url(), &backup, true).unwrap().unwrap();
    assert_eq!(held(&aside, id).await, 2, "the old one is whole");

    let store = folder.open().await;
    let new = store.heads(vec![id]).await.unwrap()[0];
    assert_eq!(new.last_seq, Seq(1));
    assert_ne!(new.epoch, old.epoch);
    let said = store.append_message(context(&alice()), say(id, "other")).await.unwrap();
    assert_eq!(said.message.seq, lost.message.seq, "the log goes on from the backup");
    assert!(said.message.id > lost.message.id, "an id never means two things");
    assert_eq!(said.epoch, new.epoch);
}

/// The same of a backup of the time when a table of its own knew the last message's id.
#[tokio::test]
async fn g24_an_older_backup_gives_no_id_again() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.append_message(context(&alice()), say(id, "kept")).await.unwrap();
    store.close().await;
    folder.become_older_than_message_ids(900);
    let backup = folder.path().join("backup");
    back_up(&folder.url(), &backup).unwrap();
    restore(&folder.url(), &backup, true).unwrap();
    let store = folder.open().await;
    let said = store.append_message(context(&alice()), say(id, "other")).await.unwrap();
    assert!(said.message.id.0 > 1_000_000, "{}", said.message.id);
}

#[tokio::test]
async fn a_log_is_renewed_where_it_is() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let old = store.heads(vec![id]).await.unwrap()[0].epoch;
    store.close().await;
    renew(&folder.url(), None).await.unwrap();
    let store = folder.open().await;
    assert_ne!(store.heads(vec![id]).await.unwrap()[0].epoch, old);
}

/// The same where the database is a server: it refuses while a process uses it.
#[tokio::test]
async fn g24_a_log_on_postgresql_is_renewed_when_nobody_uses_it() {
    let Some(database) = parlour_engines::Postgres::shared().unwrap() else {
        return parlour_engines::skip("PostgreSQL is not installed");
    };
    let open = async || {
        parlour_store::open(&database.url(), OpenOptions::default(), Arc::new(Nobody))
            .await
            .unwrap()
    };
    let store = open().await;
    let id = direct(&store).await;
    let said = store.append_message(context(&alice()), say(id, "kept")).await.unwrap();
    renew(&database.url(), None).await.unwrap_err();
    assert_eq!(store.heads(vec![id]).await.unwrap()[0].epoch, said.epoch);
    store.close().await;
    renew(&database.url(), None).await.unwrap();
    let store = open().await;
    assert_ne!(store.heads(vec![id]).await.unwrap()[0].epoch, said.epoch);
    let next = store.append_message(context(&alice()), say(id, "more")).await.unwrap();
    assert!(next.message.id.0 > said.message.id.0 + 999_999_999);
    assert_eq!(next.message.seq, Seq(2));
    store.close().await;
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.append_message(context(&alice()), say(id, "kept")).await.unwrap();
    let backup = folder.path().join("backup");
    back_up(&folder.url(), &backup).unwrap();
    store.close().await;

    assert!(matches!(back_up(&folder.url(), &backup), Err(RestoreError::Taken(_))));
    let refused = |file: PathBuf| restore(&folder.url(), &file, true).unwrap_err().to_string();
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, but long enough to look at").unwrap();
    refused(text);
    refused(folder.path().join("nothing"));
    let torn = folder.path().join("torn");
    let whole = std::fs::read(&backup).unwrap();
    std::fs::write(&torn, &whole[..whole.len() / 2]).unwrap();
    refused(torn);
    assert_eq!(held(&folder.file(), id).await, 1);
}
