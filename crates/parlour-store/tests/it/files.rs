//! Opening: one process, our file, our schema, undamaged.

use std::{fs, sync::Arc};

use parlour_core::{Seq, testing::alice};
use parlour_store::{OpenError, OpenOptions, migrate, pending_migrations};

use crate::support::{Folder, Nobody, context, direct, say};

/// Every migration there is.
const ALL: &[&str] = &[
    "0001_initial",
    "0002_sockets",
    "0003_import",
    "0004_cluster",
    "0005_changed_messages",
    "0006_client_ids",
    "0007_message_ids",
];

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let sent = store.append_message(context(&alice()), say(id, "hello")).await.unwrap();
    store.close().await;
    drop(store);
    assert!(!folder.path().join("parlour.db-wal").exists(), "a clean end leaves no WAL");
    let store = folder.open().await;
    let read = store.message(alice(), sent.message.id).await.unwrap();
    assert_eq!(read, sent.message);
    assert_eq!(store.heads(vec![id]).await.unwrap()[0].epoch, sent.epoch);
}

#[tokio::test]
async fn du6_one_process_holds_the_file() {
    let folder = Folder::new();
    let store = folder.open().await;
    let text = folder.refusal().await;
    assert!(text.contains("parlour.db") && text.contains("another process"), "{text}");
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(folder.file(), &link).unwrap();
        let url = format!("sqlite://{}", link.display());
        let second = parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await;
        assert!(matches!(second, Err(OpenError::InUse { .. })), "a link leads to the same lock");
    }
    assert!(migrate(&folder.url()).await.is_err());
    assert_eq!(pending_migrations(&folder.url()).await.unwrap(), [""; 0], "looking is allowed");
    drop(store);
    assert!(folder.try_open().await.is_ok(), "dropping the store frees the file");
}

#[cfg(unix)]
#[tokio::test]
async fn l5_the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = folder.open().await;
    for name in ["parlour.db", "parlour.db-wal", "parlour.db-shm", "parlour.db.lock"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn addresses_that_name_no_database_are_refused() {
    for url in ["mysql://user:secret@host/db", "parlour.db", "sqlite://", ""] {
        let opened = parlour_store::open(url, OpenOptions::default(), Arc::new(Nobody)).await;
        let Err(OpenError::Address(shown)) = opened else { panic!("{url} was opened") };
        assert!(!shown.contains("secret"), "{shown}");
    }
    let text = Folder::new();
    let url = format!("sqlite://{}/no/such/folder/x.db", text.path().display());
    let opened = parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await;
    assert!(matches!(opened, Err(OpenError::Io { .. })));
}

#[tokio::test]
async fn migrations_are_listed_and_applied_once() {
    let folder = Folder::new();
    assert_eq!(pending_migrations(&folder.url()).await.unwrap(), ALL);
    assert!(!folder.file().exists(), "looking makes no file");
    assert_eq!(migrate(&folder.url()).await.unwrap(), ALL);
    assert_eq!(pending_migrations(&folder.url()).await.unwrap(), [""; 0]);
    assert_eq!(migrate(&folder.url()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = Folder::new();
    drop(folder.open().await);
    let other = folder.connect();
    other.execute("INSERT INTO migrations VALUES (99, '0099_future', 'x')", []).unwrap();
    drop(other);
    let before = fs::read(folder.file()).unwrap();
    let text = folder.refusal().await;
    let version = format!("schema version {},", ALL.len() + 1);
    assert!(text.contains(&version) && text.contains("newer"), "{text}");
    assert_eq!(fs::read(folder.file()).unwrap(), before, "it was not touched");
}

#[tokio::test]
async fn an_altered_migration_is_refused() {
    let folder = Folder::new();
    drop(folder.open().await);
    folder.connect().execute("UPDATE migrations SET sha256 = 'other'", []).unwrap();
    let text = folder.refusal().await;
    assert!(text.contains("0001_initial") && text.contains("differs"), "{text}");
}

#[tokio::test]
async fn other_peoples_files_are_refused_and_left_alone() {
    let folder = Folder::new();
    folder
        .connect()
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    let before = fs::read(folder.file()).unwrap();
    assert!(folder.refusal().await.contains("not a Parlour database"));
    assert_eq!(fs::read(folder.file()).unwrap(), before);
    fs::write(
        folder.file(),
        "a text file that is longer than a header of a hundred bytes ".repeat(9),
    )
    .unwrap();
    assert!(folder.refusal().await.contains("not a Parlour database"));
}

#[tokio::test]
async fn damage_is_found_after_an_unclean_end() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    for n in 0..200 {
        let text = format!("{n} {}", "x".repeat(500));
        store.append_message(context(&alice()), say(id, &text)).await.unwrap();
    }
    store.close().await;
    drop(store);
    folder.connect().execute("UPDATE meta SET value = 0 WHERE key = 'clean'", []).unwrap();
    let mut bytes = fs::read(folder.file()).unwrap();
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0x5a);
    fs::write(folder.file(), bytes).unwrap();
    let text = folder.refusal().await;
    assert!(text.contains("damaged"), "{text}");
}

#[tokio::test]
async fn a_temporary_database_leaves_nothing() {
    let folders = || {
        let mine = format!("parlour-{}-", std::process::id());
        fs::read_dir(std::env::temp_dir())
            .unwrap()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&mine))
            .count()
    };
    let store = parlour_store::open("sqlite::memory:", OpenOptions::default(), Arc::new(Nobody))
        .await
        .unwrap();
    let id = direct(&store).await;
    assert_eq!(store.heads(vec![id]).await.unwrap()[0].last_seq, Seq(0));
    assert!(folders() > 0);
    drop(store);
    // Other tests of this process may have theirs, so only our own going is certain.
    let again =
        parlour_store::open("sqlite::memory:", OpenOptions::default(), Arc::new(Nobody)).await;
    assert_eq!(again.unwrap().heads(vec![id]).await.unwrap(), [], "each is a new one");
}

/// A file of the time when a table of its own knew the last message's id.
#[tokio::test]
async fn message_ids_go_on_where_an_older_file_left_off() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let kept = store.append_message(context(&alice()), say(id, "kept")).await.unwrap();
    store.close().await;
    folder.become_older_than_message_ids(900);

    let store = folder.open().await;
    let next = store.append_message(context(&alice()), say(id, "new")).await.unwrap();
    assert_eq!(next.message.id.0, 901, "what was given before is not given again");
    assert_eq!(store.message(alice(), kept.message.id).await.unwrap().id, kept.message.id);
    store.close().await;
    let store = folder.open().await;
    let next = store.append_message(context(&alice()), say(id, "and after that")).await.unwrap();
    assert_eq!(next.message.id.0, 902);
    store.close().await;
    let new = folder.connect();
    let ask = |sql| new.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA integrity_check"), "ok");
    let schema = ask("SELECT sql FROM sqlite_schema WHERE name = 'messages'");
    assert!(!schema.contains("AUTOINCREMENT"), "{schema}");
}
