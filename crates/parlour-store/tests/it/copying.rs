//! One database copied into another, both ways, with everything that is kept.

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, Epoch, MessageId, Position, Seq,
    command::{Actor, ConversationPatch, MarkTarget, NewConversation, SendMessage},
    model::{ApiKey, ConversationKind, Credential, Session, SessionId, TokenHash, UserState},
    port::store::{
        ProfileUpdate, Rotation, Siblings, SocketKey, Store,
        transfer::{Dump, Fault, History, HostUser, ImportOptions},
    },
    testing::{alice, bob, mallory, user},
};
use parlour_store::{Comparison, CopyError, OpenError, OpenOptions, compare, copy};
use tokio::task::JoinSet;

use crate::support::{Folder, Nobody, context, database, direct, say};

/// Messages of the large database.
const MESSAGES: usize = 20_000;

async fn open(url: &str) -> Arc<dyn Store> {
    parlour_store::open(url, OpenOptions::default(), Arc::new(Nobody)).await.unwrap()
}

async fn copied(from: &str, to: &str) -> Comparison {
    let comparison = copy(from, to, false, &mut |_| {}).await.unwrap();
    assert!(comparison.is_same(), "{comparison:?}");
    comparison
}

async fn compared(from: &str, to: &str) -> Comparison {
    compare(from, to, &mut |_| {}).await.unwrap()
}

async fn everything(store: &dyn Store) -> Vec<Dump> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let (records, cursor) = store.dump(after, 5_000).await.unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records);
        after = cursor;
    }
}

fn group(title: &str, people: &[Actor]) -> NewConversation {
    NewConversation {
        kind: ConversationKind::Group,
        participants: people.iter().map(|actor| actor.user.clone()).collect(),
        title: Some(title.into()),
        subject: Some("trip/1".into()),
        external_id: Some(title.into()),
        metadata: Some("{\"a\":\"tab\\t \\\\ \"}".into()),
    }
}

fn key() -> SocketKey {
    SocketKey { user: bob().user, dialect: "room", scope: None, device: None, agent: Some(7) }
}

/// Many messages, some of them edited, deleted, answered.
async fn chatter(store: &Arc<dyn Store>, id: ConversationId, count: usize) {
    let mut people = JoinSet::new();
    for actor in [alice(), bob()] {
        let store = store.clone();
        people.spawn(async move {
            let mut last = None;
            for n in 0..count / 2 {
                let text = format!("{n}: tab\t, line\n, back\\slash, \u{1f98a}");
                let client_id = ClientId::new(&format!("c-{n}")).ok();
                let send = SendMessage { reply_to: last, client_id, ..say(id, &text) };
                let sent = store.append_message(context(&actor), send).await.unwrap().message.id;
                last = (n % 5 != 0).then_some(sent);
                if n % 40 == 7 {
                    store.edit_message(context(&actor), sent, "edited".into()).await.unwrap();
                }
                if n % 40 == 9 {
                    store.delete_message(context(&actor), sent).await.unwrap();
                }
            }
        });
    }
    people.join_all().await;
}

/// Something of every kind that is kept, and so many messages.
async fn fill(store: &Arc<dyn Store>, messages: usize) -> ConversationId {
    let named = ProfileUpdate {
        id: alice().user,
        username: Some("Alice".into()),
        name: Some("Alice \u{c4}rcher".into()),
        email: Some("alice@example.org".into()),
        avatar: None,
    };
    store.save_user(named.clone(), 5).await.unwrap();
    let pair = direct(store).await;
    let mut rooms = vec![pair];
    for n in 0..9 {
        let new = group(&format!("Trip {n}"), &[bob()]);
        let made = store.create_conversation(context(&alice()), new).await.unwrap();
        rooms.push(made.summary.conversation.id);
    }
    let mut talks = JoinSet::new();
    for id in rooms.clone() {
        let (store, count) = (store.clone(), messages / 10);
        talks.spawn(async move { chatter(&store, id, count).await });
    }
    talks.join_all().await;
    store.add_participant(context(&alice()), rooms[1], mallory().user, 9).await.unwrap();
    store.append_message(context(&mallory()), say(rooms[1], "hello")).await.unwrap();
    store.remove_participant(context(&alice()), rooms[1], mallory().user).await.unwrap();
    let patch =
        ConversationPatch { title: Some("Lisbon".into()), state: None, metadata: Some("".into()) };
    store.change_conversation(context(&alice()), rooms[2], patch).await.unwrap();
    store.mark(context(&alice()), pair, MarkTarget::Seq(Seq(3)), true).await.unwrap();
    store.set_block(context(&mallory()), alice().user, true).await.unwrap();
    store.set_user_state(mallory().user, UserState::Banned).await.unwrap();
    let host = HostUser { profile: ProfileUpdate { id: user("77"), ..named }, created_at: Some(3) };
    let options = ImportOptions {
        source: "host".into(),
        now: 1_000,
        epoch: Epoch(9),
        keep_ids: true,
        merge: false,
        leave_out: false,
    };
    store.import_history(options, vec![History::User(host)]).await.unwrap();
    sign_ins(store).await;
    sockets(store, pair).await;
    pair
}

async fn sign_ins(store: &Arc<dyn Store>) {
    let credential =
        Credential { user: alice().user, username: "Alice".into(), password: "$argon2id$".into() };
    store.set_credential(credential, 4).await.unwrap();
    let key = ApiKey { name: "host".into(), secret: TokenHash([0; 32]), created_at: 5 };
    store.add_api_key(key).await.unwrap();
    let session = Session {
        id: SessionId("s1".into()),
        user: alice().user,
        refresh: Some(TokenHash([1; 32])),
        cookie: Some(TokenHash([2; 32])),
        created_at: 1,
        expires_at: 1_000_000,
    };
    store.create_session(session).await.unwrap();
    let rotated = store.rotate_refresh(TokenHash([1; 32]), TokenHash([3; 32]), 2).await.unwrap();
    assert!(matches!(rotated, Rotation::Rotated(_)));
    store.create_ticket(TokenHash([4; 32]), "alice".into(), 1_000_000).await.unwrap();
}

/// One that is live, one that waits, and ids of such that are gone.
async fn sockets(store: &Arc<dyn Store>, pair: ConversationId) {
    let head = store.heads(vec![pair]).await.unwrap()[0];
    let heads = vec![(pair, Position { epoch: head.epoch, seq: Seq(2) })];
    let other = SocketKey { device: Some("phone".into()), ..key() };
    let waiting = store.claim_socket(other, heads.clone(), Siblings::default(), 1).await.unwrap();
    store.release_socket(waiting.id, false, 2).await.unwrap();
    let live = store.claim_socket(key(), heads, Siblings::default(), 1).await.unwrap();
    store.acknowledge_socket(context(&bob()), live.id, vec![(pair, Seq(4))]).await.unwrap();
    for _ in 0..3 {
        let gone = SocketKey { device: Some("gone".into()), ..key() };
        let gone = store.claim_socket(gone, vec![], Siblings::default(), 1).await.unwrap();
        store.release_socket(gone.id, true, 1).await.unwrap();
    }
    store.sweep_sockets(100_000).await.unwrap();
}

/// Everything goes on in the copy where it was.
async fn goes_on(source: &[Dump], pair: ConversationId, epoch: Epoch, url: &str) {
    let store = open(url).await;
    assert_eq!(everything(&*store).await, source);
    assert!(store.credential("ALICE".into()).await.unwrap().is_some());
    assert!(store.api_key(TokenHash([0; 32])).await.unwrap().is_some());
    assert!(store.session_by_cookie(TokenHash([2; 32]), 5).await.unwrap().is_some());
    assert_eq!(store.take_ticket(TokenHash([4; 32]), 5).await.unwrap(), None);
    // A refresh token that was used is known as one.
    let reused = store.rotate_refresh(TokenHash([1; 32]), TokenHash([9; 32]), 5).await.unwrap();
    assert!(matches!(reused, Rotation::Reused(_)));
    // The socket that was live waits, and has its place in the same life of the log.
    let claimed = store.claim_socket(key(), vec![], Siblings::default(), 10).await.unwrap();
    assert_eq!(claimed.positions, Some(vec![(pair, Position { epoch, seq: Seq(4) })]));
    let fresh = SocketKey { device: Some("new".into()), ..key() };
    let fresh = store.claim_socket(fresh, vec![], Siblings::default(), 10).await.unwrap();
    assert!(fresh.id.0 > 3, "ids of sockets that are gone are not given again: {fresh:?}");
    // What was said before is known; what is said now comes after it.
    let last = source.iter().filter_map(|record| match record {
        Dump::Message(message) => Some(message.id),
        _ => None,
    });
    let repeat = SendMessage {
        client_id: ClientId::new("c-0").ok(),
        ..say(pair, "0: tab\t, line\n, back\\slash, \u{1f98a}")
    };
    assert!(store.append_message(context(&alice()), repeat).await.unwrap().duplicate);
    let head = store.heads(vec![pair]).await.unwrap()[0];
    let next = store.append_message(context(&alice()), say(pair, "next")).await.unwrap().message;
    assert!(Some(next.id) > last.max() && next.seq == head.last_seq.next());
    let caught = store.replay(Some(bob().user), pair, Seq(4), Seq(u64::MAX), 10).await.unwrap();
    assert!(!caught.envelopes.is_empty());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_copied_to_postgresql_and_back() {
    let Some(database) = database() else { return };
    let (here, back) = (Folder::new(), Folder::new());
    let store = here.open().await;
    let pair = fill(&store, MESSAGES).await;
    let source = everything(&*store).await;
    let epoch = store.heads(vec![pair]).await.unwrap()[0].epoch;
    store.close().await;
    drop(store);

    let there = copied(&here.url(), &database.url()).await;
    assert!(!there.source_in_use && there.conversations == 10);
    let messages = there.tables.iter().find(|table| table.table == "messages").unwrap();
    assert_eq!(messages.target.rows, MESSAGES as u64 + 1);
    assert!(compared(&here.url(), &database.url()).await.is_same());
    copied(&database.url(), &back.url()).await;
    assert!(compared(&here.url(), &back.url()).await.is_same());
    goes_on(&source, pair, epoch, &back.url()).await;

    // One changed row is found, and the conversation that it is in.
    database.run("UPDATE messages SET text = text || '!' WHERE id = (SELECT min(id) FROM messages WHERE text <> '')").unwrap();
    let changed = compared(&here.url(), &database.url()).await;
    assert!(!changed.is_same());
    assert_eq!((changed.differing_logs, changed.logs.len()), (1, 1));
    let differing: Vec<_> = changed
        .tables
        .iter()
        .filter(|table| table.source != table.target)
        .map(|table| table.table)
        .collect();
    assert_eq!(differing, ["messages"]);
    database.run("UPDATE messages SET text = rtrim(text, '!')").unwrap();
    goes_on(&source, pair, epoch, &database.url()).await;
    assert!(!compared(&here.url(), &database.url()).await.is_same());
}

#[tokio::test]
async fn a_dump_restored_in_postgresql_is_the_same() {
    let Some(database) = database() else { return };
    let here = Folder::new();
    let (from, to) = (here.open().await, open(&database.url()).await);
    let pair = fill(&from, 200).await;
    let options = |epoch| ImportOptions {
        source: "host".into(),
        now: 1_000,
        epoch: Epoch(epoch),
        keep_ids: true,
        merge: false,
        leave_out: false,
    };
    let all = everything(&*from).await;
    for part in all.chunks(70) {
        assert_eq!(to.restore(options(4_711), part.to_vec()).await.unwrap().problems, []);
    }
    assert_eq!(everything(&*to).await, all);
    assert_eq!(to.heads(vec![pair]).await.unwrap()[0].epoch, Epoch(4_711));
    // And again, which changes nothing.
    let again = to.restore(options(4_712), all.clone()).await.unwrap();
    assert_eq!((again.known, again.problems.len()), (all.len() as u64, 0));
    let used = all.iter().filter_map(|record| match record {
        Dump::Message(message) => Some(message.id),
        _ => None,
    });
    let next = to.append_message(context(&alice()), say(pair, "next")).await.unwrap();
    assert!(used.max() < Some(next.message.id), "ids are not given again");

    // What contradicts what is here, or names what is not, takes its batch back.
    let before = everything(&*to).await;
    let other = Folder::new();
    let other = other.open().await;
    let theirs = direct(&other).await;
    other.append_message(context(&alice()), say(theirs, "mine")).await.unwrap();
    let report = to.restore(options(1), everything(&*other).await).await.unwrap();
    assert!(report.problems.iter().any(|p| matches!(p.fault, Fault::Taken(_))), "{report:?}");
    assert_eq!(everything(&*to).await, before);
    let lonely = all.iter().rev().find_map(|record| match record {
        Dump::Message(message) => Some(message.clone()),
        _ => None,
    });
    let mut lonely = lonely.unwrap();
    (lonely.id, lonely.conversation) = (MessageId(1 << 40), ConversationId(1 << 40));
    let report = to.restore(options(1), vec![Dump::Message(lonely)]).await.unwrap();
    assert!(matches!(report.problems[0].fault, Fault::Dangling(_)), "{report:?}");
    assert_eq!(everything(&*to).await, before);
    to.close().await;
}

#[tokio::test]
async fn a_copy_of_a_database_in_use_is_of_one_moment() {
    let Some(database) = database() else { return };
    let here = Folder::new();
    let store = here.open().await;
    let pair = fill(&store, 100).await;
    let refused = copy(&here.url(), &database.url(), true, &mut |_| {}).await.unwrap_err();
    assert!(matches!(refused, CopyError::Open(OpenError::InUse { .. })), "{refused}");
    assert!(copied(&here.url(), &database.url()).await.source_in_use);
    store.append_message(context(&alice()), say(pair, "later")).await.unwrap();
    let refused = copy(&here.url(), &database.url(), false, &mut |_| {}).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty { table: "users", .. }), "{refused}");

    let there = open(&database.url()).await;
    assert!(
        there.replay(None, pair, Seq(0), Seq(u64::MAX), 500).await.unwrap().envelopes.len() > 9
    );
    let again = Folder::new();
    let refused = copy(&database.url(), &again.url(), true, &mut |_| {}).await.unwrap_err();
    assert!(matches!(refused, CopyError::Open(OpenError::Shared { .. })), "{refused}");
    assert!(copied(&database.url(), &again.url()).await.source_in_use);
    // Into a database that a server has, nothing is copied.
    let refused = copy(&here.url(), &database.url(), false, &mut |_| {}).await.unwrap_err();
    assert!(matches!(refused, CopyError::Open(OpenError::Shared { .. })), "{refused}");
    there.close().await;
    copy(&database.url(), &Folder::new().url(), true, &mut |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_broken_copy_leaves_the_target_empty() {
    let Some(database) = database() else { return };
    let here = Folder::new();
    let store = here.open().await;
    fill(&store, 2_000).await;
    store.close().await;
    drop(store);
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND query LIKE 'COPY messages%' AND pid <> pg_backend_pid()";
    let mut cuts = 0;
    let broken = copy(&here.url(), &database.url(), false, &mut |so_far| {
        if so_far.table == "messages" && !so_far.comparing {
            cuts += 1;
            database.run(cut).unwrap();
        }
    })
    .await;
    assert!(cuts > 0 && matches!(broken, Err(CopyError::Database { .. })), "{broken:?}");
    assert_eq!(database.run("SELECT count(*) FROM users").unwrap(), "0");
    copied(&here.url(), &database.url()).await;
    let missing = copy("sqlite:///nowhere/at.all", &Folder::new().url(), false, &mut |_| {}).await;
    assert!(matches!(missing, Err(CopyError::Missing(_))));
}
