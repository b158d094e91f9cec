//! History that comes in: where it lands, what it means a second time, and what it must not disturb.

use std::sync::{Arc, atomic::Ordering};

use super::support::Bench;
use crate::{
    Code, ConversationId, Epoch, MessageId, Seq, UserId,
    command::Actor,
    model::{ConversationKind, ConversationState, Message, MessageKind, Millis, Role, Watermark},
    port::store::{
        Page, ProfileUpdate,
        transfer::{
            Dump, Fault, History, HostConversation, HostMessage, HostRead, HostUser, ImportOptions,
            ImportReport, Place, ReadBy, ReadUpTo,
        },
    },
    testing::{alice, bob, user},
};

pub(super) fn options(bench: &Bench) -> ImportOptions {
    ImportOptions {
        source: "shop".into(),
        now: bench.now(),
        epoch: Epoch(4_711),
        keep_ids: true,
        merge: false,
        leave_out: false,
    }
}

/// A time so many minutes before the bench's now.
fn ago(bench: &Bench, minutes: i64) -> Millis {
    bench.now() - minutes * 60_000
}

pub(super) fn between(one: &str, other: &str) -> Place {
    Place::Direct(user(one), user(other), None)
}

pub(super) fn message(id: &str, place: Place, sender: &str, text: &str, at: Millis) -> HostMessage {
    HostMessage {
        host_id: id.into(),
        place,
        sender: user(sender),
        kind: MessageKind::Text,
        text: Some(text.into()),
        metadata: None,
        client_id: None,
        reply_to: None,
        created_micros: at * 1_000,
        edited_at: None,
        deleted_at: None,
        read_by: ReadBy::Only(Vec::new()),
    }
}

pub(super) fn conversation(id: &str, kind: ConversationKind, people: &[&str]) -> HostConversation {
    HostConversation {
        host_id: id.into(),
        kind,
        state: ConversationState::Open,
        subject: None,
        title: None,
        metadata: None,
        created_at: None,
        participants: people.iter().map(|id| (user(id), Role::Member)).collect(),
    }
}

pub(super) async fn import_as(
    bench: &Bench,
    options: ImportOptions,
    records: Vec<History>,
) -> ImportReport {
    bench.imported.store(true, Ordering::Relaxed);
    bench.store.import_history(options, records).await.unwrap()
}

pub(super) async fn import(bench: &Bench, records: Vec<History>) -> ImportReport {
    let report = import_as(bench, options(bench), records).await;
    assert_eq!(report.problems, []);
    report
}

/// What is wrong with these records; nothing of them is stored.
pub(super) async fn faults(bench: &Bench, records: Vec<History>) -> Vec<Fault> {
    let before = everything(bench).await;
    let report = import_as(bench, options(bench), records).await;
    assert_eq!(everything(bench).await, before, "a batch with a fault changes nothing");
    report.problems.into_iter().map(|problem| problem.fault).collect()
}

/// The whole store.
pub(super) async fn everything(bench: &Bench) -> Vec<Dump> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        // Small pages, so that going on from a place is tried too.
        let (records, cursor) = bench.store.dump(after, 3).await.unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records);
        after = cursor;
    }
}

pub(super) async fn page(bench: &Bench, actor: &Actor, id: ConversationId) -> Vec<Arc<Message>> {
    bench.store.messages(actor.clone(), id, Page::Newest, 100).await.unwrap().messages
}

pub(super) fn texts(messages: &[Arc<Message>]) -> Vec<&str> {
    let text = |message: &'_ Arc<Message>| message.content.is_some();
    assert!(messages.iter().all(text));
    messages
        .iter()
        .filter_map(|message| message.content.as_ref())
        .map(|content| &*content.text)
        .collect()
}

async fn direct_of(bench: &Bench, one: &Actor, other: &UserId) -> ConversationId {
    let found = bench.store.direct_between(one.user.clone(), other.clone()).await.unwrap();
    found.expect("they have a conversation")
}

/// Times, ids and senders are kept; the order is that of time, then id.
pub async fn history_keeps_ids_and_times_in_order(bench: &Bench) {
    let at = |minutes| ago(bench, minutes);
    let mut late = message("70", between("1", "2"), "2", "third", at(10));
    late.reply_to = Some("9".into());
    let mut removed = message("71", between("2", "1"), "1", "", at(9));
    (removed.text, removed.deleted_at) = (None, Some(at(8)));
    let same_time = message("10", between("1", "2"), "2", "second", at(20));
    let records = vec![
        History::User(HostUser {
            profile: ProfileUpdate {
                id: user("2"),
                username: Some("bob".into()),
                name: Some("Bob Baker".into()),
                email: None,
                avatar: None,
            },
            created_at: Some(at(99)),
        }),
        History::Message(late),
        History::Message(same_time),
        History::Message(message("9", between("2", "1"), "1", "first", at(20))),
        History::Message(removed),
    ];
    let report = import(bench, records).await;
    assert_eq!((report.users, report.conversations, report.messages), (1, 1, 4));
    assert_eq!((report.renumbered, report.lost_replies), (0, 0));
    let id = direct_of(bench, &alice(), &user("2")).await;
    let messages = page(bench, &alice(), id).await;
    let ids: Vec<u64> = messages.iter().map(|message| message.id.0).collect();
    assert_eq!(ids, [9, 10, 70, 71], "by time, then by the number");
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    assert_eq!(texts(&messages[..3]), ["first", "second", "third"]);
    let times: Vec<Millis> = messages.iter().map(|message| message.created_at).collect();
    assert_eq!(times, [at(20), at(20), at(10), at(9)]);
    assert_eq!(&*messages[1].sender.name, "Bob Baker");
    assert_eq!(messages[2].reply_to, Some(MessageId(9)));
    assert_eq!((messages[3].content.as_ref(), messages[3].deleted_at), (None, Some(at(8))));
    let summary = bench.summary(&alice(), id).await;
    assert_eq!(summary.conversation.active_at, at(9));
    let sent = bench.store.append_message(bench.context(&bob()), super::support::say(id, "new"));
    assert!(sent.await.unwrap().message.id.0 > 71, "ids that were kept are not given again");
    assert!(bench.sink.len() <= 2, "an import publishes nothing");
}

/// The same again changes nothing, in one batch or in another.
pub async fn the_same_history_again_changes_nothing(bench: &Bench) {
    let place = || Place::Conversation("c-1".into());
    let records = || {
        let mut read = message("m-2", place(), "1", "two", ago(bench, 4));
        read.read_by = ReadBy::Everybody;
        vec![
            History::Conversation(conversation("c-1", ConversationKind::Group, &["1", "2", "3"])),
            History::Message(message("m-1", place(), "2", "one", ago(bench, 5))),
            History::Message(read),
            History::Read(HostRead {
                place: place(),
                user: user("3"),
                up_to: ReadUpTo::Message("m-1".into()),
            }),
        ]
    };
    import(bench, records()).await;
    let before = everything(bench).await;
    let again = import(bench, [records(), records()].concat()).await;
    assert_eq!(everything(bench).await, before);
    assert_eq!((again.messages, again.conversations, again.known), (0, 0, 6));
    let other = ImportOptions { source: "other".into(), ..options(bench) };
    let second = message("m-1", place(), "2", "of another application", ago(bench, 3));
    let report = import_as(bench, other, vec![History::Message(second)]).await;
    assert_eq!(report.messages, 1, "ids are known by their source; external ids are everybody's");
}

/// What was read before is read here: by a switch, by a list, by a mark, by one's own words.
pub async fn reading_becomes_watermarks(bench: &Bench) {
    let place = || Place::Conversation("7".into());
    let read =
        |user_id, up_to| History::Read(HostRead { place: place(), user: user(user_id), up_to });
    let at = |minutes| ago(bench, minutes);
    let mut first = message("1", place(), "1", "one", at(9));
    first.read_by = ReadBy::Everybody;
    let mut second = message("2", place(), "1", "two", at(8));
    second.read_by = ReadBy::Only(vec![user("2"), user("99")]);
    let people = ["1", "2", "3", "4", "5"];
    let records = vec![
        History::Conversation(conversation("7", ConversationKind::Group, &people)),
        History::Message(first),
        History::Message(second),
        History::Message(message("3", place(), "3", "three", at(7))),
        History::Message(message("4", place(), "1", "four", at(6))),
        read("4", ReadUpTo::Message("3".into())),
        read("5", ReadUpTo::Time(at(8))),
    ];
    import(bench, records).await;
    let id = ConversationId(7);
    let watermarks = bench.summary(&alice(), id).await.participants;
    let reads: Vec<u64> = watermarks.iter().map(|p| p.watermark.read.0).collect();
    assert_eq!(reads, [4, 2, 3, 3, 2]);
    assert_eq!(bench.summary(&bob(), id).await.unread, 2);
    assert_eq!(
        bench.store.receipts(id, 0).await.unwrap().len(),
        5,
        "who asks for versions is told"
    );
    let back = vec![read("4", ReadUpTo::Message("1".into()))];
    import(bench, back).await;
    assert_eq!(bench.summary(&Actor::user(user("4")), id).await.watermark.read, Seq(3));
}

/// What the host edits and deletes after an import is edited and deleted here by the next one.
pub async fn later_edits_and_deletions_follow(bench: &Bench) {
    let say = |id: &str, text: &str, at| message(id, between("1", "2"), "1", text, at);
    let at = |minutes| ago(bench, minutes);
    let records = vec![
        History::Message(say("1", "tpyo", at(9))),
        History::Message(say("2", "secret", at(8))),
        History::Message(say("3", "stays", at(7))),
    ];
    import(bench, records).await;
    let id = direct_of(bench, &alice(), &user("2")).await;
    let epoch = bench.store.heads(vec![id]).await.unwrap()[0].epoch;
    let mut edited = say("1", "typo", at(9));
    edited.edited_at = Some(at(5));
    let mut deleted = say("2", "secret", at(8));
    (deleted.text, deleted.deleted_at) = (None, Some(at(8)));
    let report = import(
        bench,
        vec![
            History::Message(edited.clone()),
            History::Message(deleted.clone()),
            History::Message(say("3", "stays", at(7))),
        ],
    )
    .await;
    assert_eq!((report.changed, report.known, report.relived), (2, 1, 0));
    let missed = bench.missed_words(&bob(), id, 3).await;
    assert_eq!(missed, ["4 edited typo", "5 deleted -"], "a Change at the end of the log each");
    assert_eq!(bench.store.heads(vec![id]).await.unwrap()[0].epoch, epoch);
    let revisions = bench.store.revisions(alice(), MessageId(1)).await.unwrap();
    assert_eq!(revisions.len(), 2);
    assert!(!format!("{:?}", everything(bench).await).contains("secret"));
    // What people do here afterwards is not undone by the same lines.
    bench.edit(&alice(), MessageId(1), "typo, corrected").await.unwrap();
    import(bench, vec![History::Message(edited), History::Message(deleted)]).await;
    assert_eq!(texts(&page(bench, &alice(), id).await[..1]), ["typo, corrected"]);
}

/// Ids that are taken or are no numbers get new ones; several conversations of the same two stay apart.
pub async fn what_cannot_be_kept_is_kept_apart(bench: &Bench) {
    let native = bench.direct().await;
    let taken = bench.send(&alice(), native, "native").await;
    let number = taken.id.0.to_string();
    let place = || Place::Conversation("900".into());
    let mut lost = message("uuid-1", place(), "1", "no number", ago(bench, 2));
    lost.reply_to = Some("unknown".into());
    let report = import(
        bench,
        vec![
            History::Conversation(conversation("900", ConversationKind::Direct, &["4", "1"])),
            History::Conversation(conversation("901", ConversationKind::Direct, &["1", "4"])),
            History::Conversation(conversation("902", ConversationKind::Direct, &["1", "2"])),
            History::Message(message(&number, place(), "1", "imported", ago(bench, 3))),
            History::Message(lost),
        ],
    )
    .await;
    assert_eq!((report.conversations, report.split), (3, 1));
    assert_eq!((report.renumbered, report.lost_replies), (1, 1));
    let messages = page(bench, &alice(), ConversationId(900)).await;
    assert_eq!(texts(&messages), ["imported", "no number"]);
    assert!(messages.iter().all(|message| message.id.0 > taken.id.0));
    let second = bench.summary(&alice(), ConversationId(901)).await.conversation;
    assert_eq!(second.subject.as_deref(), Some("conversation/901"));
    let found = bench.summary(&alice(), native).await.conversation;
    assert_eq!(found.external_id.as_deref(), Some("902"), "the one that stood is the host's");
    let plain = ImportOptions { keep_ids: false, ..options(bench) };
    let more = message("5000", place(), "1", "new id", ago(bench, 1));
    import_as(bench, plain, vec![History::Message(more)]).await;
    let missing = bench.store.message(alice(), MessageId(5_000)).await;
    assert_eq!(missing.unwrap_err().code, Code::NotFound);
}

/// What is at fault is named, and nothing of its batch is stored; or it alone is left out.
pub async fn faults_are_named(bench: &Bench) {
    let now = ago(bench, 1);
    let direct = |people: &[&str]| {
        History::Conversation(conversation("d", ConversationKind::Direct, people))
    };
    let said = |place, sender: &str, at| History::Message(message("x", place, sender, "x", at));
    let cases = [
        (direct(&["1"]), Fault::NotTwo),
        (direct(&["1", "1"]), Fault::NotTwo),
        (said(between("1", "1"), "1", now), Fault::NotTwo),
        (said(Place::Conversation("?".into()), "1", now), Fault::NoConversation("?".into())),
        (said(between("1", "2"), "3", now), Fault::NotIn(user("3"))),
        (said(between("1", "2"), "1", bench.now() + 3_600_000), Fault::InFuture),
        (
            History::Read(HostRead {
                place: between("1", "2"),
                user: user("1"),
                up_to: ReadUpTo::Message("?".into()),
            }),
            Fault::NoMessage("?".into()),
        ),
    ];
    for (record, expected) in cases {
        let good = History::Message(message("ok", between("8", "9"), "8", "fine", now));
        assert_eq!(faults(bench, vec![good, record]).await, [expected]);
    }
    let group = History::Conversation(conversation("d", ConversationKind::Group, &["1"]));
    import(bench, vec![group]).await;
    assert_eq!(
        faults(bench, vec![direct(&["1", "2"])]).await,
        [Fault::OtherConversation("d".into())]
    );
    let leave_out = ImportOptions { leave_out: true, ..options(bench) };
    let good = History::Message(message("ok", between("8", "9"), "8", "fine", now));
    let report = import_as(bench, leave_out, vec![direct(&["1"]), good]).await;
    assert_eq!((report.problems.len(), report.problems[0].index, report.messages), (1, 0, 1));
}

/// A message that the host has also sent here, under the same client id, is the same message.
pub async fn what_was_sent_to_both_is_one(bench: &Bench) {
    let pair = bench.direct().await;
    let sent = bench.send_as(&alice(), pair, "temp-1", "hello").await.unwrap().message;
    let mut same = message("55", between("1", "2"), "1", "hello", bench.now());
    same.client_id = sent.client_id.clone();
    let report = import(bench, vec![History::Message(same.clone())]).await;
    assert_eq!((report.messages, report.known), (0, 1));
    assert_eq!(page(bench, &alice(), pair).await.len(), 1);
    same.host_id = "56".into();
    same.text = Some("other".into());
    assert_eq!(faults(bench, vec![History::Message(same)]).await, [Fault::ClientId]);
    assert_eq!(
        bench.summary(&alice(), pair).await.watermark,
        Watermark { delivered: Seq(1), read: Seq(1) }
    );
}
