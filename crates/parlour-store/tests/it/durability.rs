//! What survives a kill, a full disk, and what does not survive a deletion.

use std::{fs, path::Path, sync::Arc, time::Duration};

use parlour_core::{
    Code, Seq,
    port::store::{Page, Store},
    testing::{alice, bob},
};
use parlour_store::OpenOptions;

use crate::support::{Folder, Nobody, context, direct, say};

/// The files as a kill would leave them at this moment.
pub(crate) fn copy_of(folder: &Folder) -> Folder {
    let copy = Folder::new();
    for name in ["parlour.db", "parlour.db-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn g1_what_was_answered_survives_a_kill() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    for round in 1..=5 {
        for n in 0..20 {
            let text = format!("{round}-{n}");
            store.append_message(context(&alice()), say(id, &text)).await.unwrap();
        }
        let copy = copy_of(&folder).open().await;
        assert_eq!(copy.heads(vec![id]).await.unwrap()[0].last_seq, Seq(round * 20));
        let page = copy.messages(bob(), id, Page::After(Seq(0)), 1_000).await.unwrap();
        assert_eq!(page.messages.len() as u64, round * 20);
    }
}

/// A WAL that ends anywhere opens, with a beginning of what was answered.
#[tokio::test]
async fn g1_a_torn_wal_opens_to_a_prefix() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    for n in 0..30 {
        store.append_message(context(&alice()), say(id, &n.to_string())).await.unwrap();
    }
    let wal = fs::read(folder.path().join("parlour.db-wal")).unwrap();
    let mut last = 0;
    for part in 0..=20 {
        let copy = copy_of(&folder);
        let end = wal.len() * part / 20;
        fs::write(copy.path().join("parlour.db-wal"), &wal[..end]).unwrap();
        let store = copy.open().await;
        let Some(head) = store.heads(vec![id]).await.unwrap().first().copied() else {
            assert_eq!(last, 0);
            continue;
        };
        let page = store.messages(bob(), id, Page::After(Seq(0)), 1_000).await;
        assert_eq!(page.map_or(0, |page| page.messages.len() as u64), head.last_seq.0);
        assert!(head.last_seq.0 >= last);
        last = head.last_seq.0;
    }
    assert_eq!(last, 30);
}

/// Refused as not stored while the disk is full, and working again without a restart.
#[tokio::test]
async fn g16_a_full_disk_refuses_and_recovers() {
    let folder = Folder::new();
    // The page bound is a setting of a connection, so the test makes room instead of setting it: a database
    // that has grown to its bound refuses, until a deletion frees pages.
    let store = open_with_bound(&folder, 120).await;
    let id = direct(&store).await;
    let text = "x".repeat(8_000);
    let mut sent = Vec::new();
    let refused = loop {
        match store.append_message(context(&alice()), say(id, &text)).await {
            Ok(stored) => sent.push(stored.message),
            Err(error) => break error,
        }
        assert!(sent.len() < 1_000, "it never got full");
    };
    assert_eq!(refused.code, Code::Unavailable);
    let head = store.heads(vec![id]).await.unwrap()[0];
    assert_eq!(head.last_seq.0, sent.len() as u64, "nothing of the refused one is stored");
    let many: Vec<_> =
        (0..20).map(|_| store.append_message(context(&alice()), say(id, &text))).collect();
    for answer in many {
        assert_eq!(answer.await.unwrap_err().code, Code::Unavailable);
    }
    let page = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
    assert_eq!(page.messages.len(), 10, "reading goes on");
    for message in &sent[..10] {
        store.delete_message(context(&alice()), message.id).await.unwrap();
    }
    let again = store.append_message(context(&alice()), say(id, &text)).await.unwrap();
    assert_eq!(again.message.seq.0, sent.len() as u64 + 11);
    store.close().await;
    drop(store);
    let check: String =
        folder.connect().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

async fn open_with_bound(folder: &Folder, pages: u32) -> Arc<dyn Store> {
    let options = OpenOptions { max_pages: Some(pages), ..OpenOptions::default() };
    parlour_store::open(&folder.url(), options, Arc::new(Nobody)).await.unwrap()
}

/// Not in the database and not in its WAL, soon after the answer, without closing.
#[tokio::test]
async fn g21_deleted_text_is_in_no_byte_of_the_files() {
    const MARKER: &str = "UNFORGETTABLE";
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    let mut marked = Vec::new();
    for n in 0..300_usize {
        let filling = "f".repeat(n * 37 % 900);
        let secret = n % 3 == 0;
        let text = if secret { format!("{MARKER} {n} {filling}") } else { filling.clone() + "x" };
        let sent = store.append_message(context(&alice()), say(id, &text)).await.unwrap().message;
        if secret {
            if n % 2 == 0 {
                // Grows, so that pages are split; shrinks, so that they are packed.
                let longer = format!("{MARKER} again {}", "g".repeat(n * 91 % 6_000));
                store.edit_message(context(&alice()), sent.id, longer.into()).await.unwrap();
                store.edit_message(context(&alice()), sent.id, MARKER.into()).await.unwrap();
            }
            marked.push(sent.id);
        }
    }
    assert!(found(folder.path(), MARKER), "the test looks in the right place");
    for message in marked {
        store.delete_message(context(&alice()), message).await.unwrap();
    }
    let mut patience = 100;
    while found(folder.path(), MARKER) {
        patience -= 1;
        assert!(patience > 0, "it is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn found(folder: &Path, marker: &str) -> bool {
    fs::read_dir(folder).unwrap().filter_map(Result::ok).any(|entry| {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
    })
}
