//! Disks that fail for real: a write that the system refuses, and a file system that is full.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parlour_core::{
    Code, ConversationId, Seq,
    port::store::{Page, Store},
    testing::{alice, bob},
};
use parlour_store::OpenOptions;

use crate::support::{Folder, Nobody, context, direct, say};

const DATABASE: &str = "PARLOUR_TEST_DATABASE";
const SMALL_DISK: &str = "PARLOUR_TEST_SMALL_DISK";

/// Sends until something is refused; how many were stored, and the refusal.
async fn fill(store: &Arc<dyn Store>, id: ConversationId) -> (u64, Code) {
    let text = "x".repeat(4_000);
    for count in 0..100_000 {
        if let Err(error) = store.append_message(context(&alice()), say(id, &text)).await {
            return (count, error.code);
        }
    }
    panic!("it never failed");
}

/// The system refuses to let the WAL grow: nobody can tell what of the transaction is on the disk. The callers
/// are told so, the process is told to end, and the next start finds everything that was answered.
#[cfg(unix)]
#[tokio::test]
async fn g1_a_failed_commit_is_unknown_and_ends_the_store() {
    let folder = Folder::new();
    let store = folder.open().await;
    let id = direct(&store).await;
    store.close().await;
    drop(store);
    let me = std::env::current_exe().unwrap();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""])
        .arg(me)
        .args(["--exact", "failing::child_whose_files_may_not_grow", "--ignored", "--nocapture"])
        .env(DATABASE, folder.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let answered = said.lines().find_map(|line| line.strip_prefix("answered "));
    let answered: u64 = answered.unwrap().trim().parse().unwrap();
    assert!(answered > 10);
    let store = folder.open().await;
    let head = store.heads(vec![id]).await.unwrap()[0];
    assert!(head.last_seq == Seq(answered) || head.last_seq == Seq(answered + 1), "{head:?}");
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "the test above runs it under a limit"]
async fn child_whose_files_may_not_grow() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let told = Arc::new(AtomicU32::new(0));
    let counter = told.clone();
    let options = OpenOptions {
        on_fatal: Arc::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        }),
        ..OpenOptions::default()
    };
    let store = parlour_store::open(&url, options, Arc::new(Nobody)).await.unwrap();
    let (answered, code) = fill(&store, ConversationId(1)).await;
    assert_eq!(code, Code::Unknown);
    let after = store.append_message(context(&alice()), say(ConversationId(1), "after")).await;
    assert_eq!(after.unwrap_err().code, Code::Unavailable);
    store.close().await;
    assert_eq!(told.load(Ordering::SeqCst), 1);
    println!("\nanswered {answered}");
}

/// The real form of `g16_a_full_disk_refuses_and_recovers`, with a COMMIT that finds no room:
/// `mount -t tmpfs -o size=4m tmpfs DIR; PARLOUR_TEST_SMALL_DISK=DIR cargo test -p parlour-store -- --ignored g16`.
#[tokio::test]
#[ignore = "needs a file system of about 4 MB, named by PARLOUR_TEST_SMALL_DISK"]
async fn g16_a_really_full_disk_refuses_and_recovers() {
    let Ok(disk) = std::env::var(SMALL_DISK) else { return };
    let disk = std::path::PathBuf::from(disk);
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let url = format!("sqlite://{}", disk.join("parlour.db").display());
    let store = parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await.unwrap();
    let id = direct(&store).await;
    let (stored, code) = fill(&store, id).await;
    assert_eq!(code, Code::Unavailable);
    for _ in 0..5 {
        assert_eq!(fill(&store, id).await.1, Code::Unavailable);
    }
    let head = store.heads(vec![id]).await.unwrap()[0];
    assert!(head.last_seq.0 >= stored);
    let page = store.messages(bob(), id, Page::Newest, 10).await.unwrap();
    assert_eq!(page.messages.last().unwrap().seq, head.last_seq, "reading goes on");
    std::fs::remove_file(filler).unwrap();
    let again = store.append_message(context(&alice()), say(id, "again")).await.unwrap();
    assert_eq!(again.message.seq, head.last_seq.next());
    store.close().await;
    drop(store);
    let reopened =
        parlour_store::open(&url, OpenOptions::default(), Arc::new(Nobody)).await.unwrap();
    assert_eq!(reopened.heads(vec![id]).await.unwrap()[0].last_seq, again.message.seq);
}
