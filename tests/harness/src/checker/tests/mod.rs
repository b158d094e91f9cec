//! Histories written by hand: the good ones pass, and each check finds the bad one that it is for.

mod script;
mod settled;

use script::{Script, changed, event, message, movement};

use super::{Facts, Stage, Violation, answers, check, delivery, entitlement, order, stored};
use crate::history::{Cause, Kind, What};

/// What one check finds in a history.
fn run(check: fn(&Facts<'_>) -> Vec<Violation>, script: &Script) -> Vec<String> {
    let entries = script.entries();
    check(&Facts::collect(&entries)).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn finds(check: fn(&Facts<'_>) -> Vec<Violation>, script: &Script, part: &str) {
    let found = run(check, script);
    assert!(found.iter().any(|text| text.contains(part)), "{part:?} is not in {found:?}");
}

#[track_caller]
fn accepts(check: fn(&Facts<'_>) -> Vec<Violation>, script: &Script) {
    assert_eq!(run(check, script), Vec::<String>::new());
}

/// A message, a cut with a message in flight, an edit and a deletion while bob is away.
fn good() -> Script {
    let (a, b) = (message(1, "a", "one"), message(2, "b", "two"));
    let (edited, gone) = (changed(&a, 3, Some("one!")), changed(&b, 4, None));
    Script::new()
        .send(1, 10, "a", "one")
        .ack(1, 10, &a)
        .bob(event(Kind::Created, &a))
        .send(1, 11, "b", "two")
        .kill()
        .close("alice", 1, None, None)
        .close("bob", 2, None, None)
        .connect("alice", 3)
        .send(3, 11, "b", "two")
        .get("alice", 3, event(Kind::Created, &b))
        .stored(3, 11, &b, true)
        .edit(3, 12, 101, "one!")
        .ack(3, 12, &edited)
        .delete(3, 13, 102)
        .ack(3, 13, &gone)
        .connect("bob", 4)
        .replay(4, 1, 4, vec![event(Kind::Edited, &edited), event(Kind::Deleted, &gone)])
        .holds("device:bob", &[&edited, &gone])
        .holds("device:alice", &[&edited, &gone])
        .holds("rest:bob", &[&edited, &gone])
        .close("alice", 3, None, Some(Cause::Client))
        .close("bob", 4, Some(1012), Some(Cause::Shutdown))
        .database(4, &[&edited, &gone], &[])
}

#[test]
fn a_good_history_passes_every_check() {
    assert_eq!(check(&good().entries(), Stage::Settled), []);
}

#[test]
fn g1_ck1_finds_an_acknowledged_message_that_is_not_there() {
    let (a, b) = (message(1, "a", "one"), message(2, "b", "two"));
    let sent = Script::new().send(1, 10, "a", "one").ack(1, 10, &a);
    let both = sent.clone().send(1, 11, "b", "two").ack(1, 11, &b);
    finds(stored::ck1_lost, &both.clone().database(1, &[&a], &[]), "message 102 (seq 2)");
    finds(stored::ck1_lost, &both.holds("rest:bob", &[&a]), "not in rest:bob");
    let elsewhere = message(7, "a", "one");
    let history = sent.clone().database(7, &[&elsewhere], &[]).entries();
    assert!(!check(&history, Stage::Midway).is_empty(), "another id for an acknowledged client id");
    let other = changed(&a, 1, Some("another"));
    finds(stored::ck1_lost, &sent.database(1, &[&other], &[]), "message 101 is");
    let told = Script::new().send(1, 10, "a", "one").ack(1, 10, &other);
    finds(stored::ck1_lost, &told, "was acknowledged as");
}

#[test]
fn g1_ck1_knows_which_edits_may_stand() {
    let a = message(1, "a", "one");
    let (first, second) = (changed(&a, 2, Some("edit 1")), changed(&a, 3, Some("edit 2")));
    let start = Script::new().send(1, 10, "a", "one").ack(1, 10, &a);
    let edited = start.edit(1, 11, 101, "edit 1").ack(1, 11, &first).edit(1, 12, 101, "edit 2");
    // The second edit has no answer: it may stand or not, but nothing older may.
    accepts(stored::ck1_lost, &edited.clone().database(2, &[&first], &[]));
    accepts(stored::ck1_lost, &edited.clone().database(3, &[&second], &[2]));
    finds(stored::ck1_lost, &edited.clone().database(2, &[&a], &[2]), "message 101 is");
    let refused = edited.refuse(1, 12, "rejected");
    finds(stored::ck1_lost, &refused.database(3, &[&second], &[2]), "message 101 is");
}

#[test]
fn g2_ck2_finds_what_nobody_sent_and_what_was_refused() {
    let a = message(1, "a", "one");
    let sent = Script::new().send(1, 10, "a", "one");
    finds(stored::ck2_ghost, &Script::new().database(1, &[&a], &[]), "nobody sent");
    finds(
        stored::ck2_ghost,
        &sent.clone().refuse(1, 10, "rejected").database(1, &[&a], &[]),
        "refused",
    );
    accepts(stored::ck2_ghost, &sent.clone().refuse(1, 10, "unknown").database(1, &[&a], &[]));
    accepts(stored::ck2_ghost, &sent.database(1, &[&a], &[]));
}

#[test]
fn g3_ck3_finds_one_client_id_for_two_messages() {
    let (first, second) = (message(1, "a", "one"), message(2, "a", "one"));
    let sent = Script::new().send(1, 10, "a", "one").ack(1, 10, &first);
    finds(stored::ck3_double, &sent.clone().bob(event(Kind::Created, &second)), "client id a");
    finds(
        stored::ck3_double,
        &sent.send(1, 11, "a", "one").stored(1, 11, &second, true),
        "client id a",
    );
}

#[test]
fn g4_ck4_finds_holes_and_seqs_used_twice() {
    let (a, c) = (message(1, "a", "one"), message(3, "c", "three"));
    let sent = Script::new().send(1, 10, "a", "one").send(1, 12, "c", "three");
    finds(order::ck4_holes, &sent.clone().database(3, &[&a, &c], &[]), "seqs [2] are missing");
    accepts(order::ck4_holes, &sent.clone().database(3, &[&a, &c], &[2]));
    finds(order::ck4_holes, &sent.clone().database(3, &[&a, &c], &[2, 3]), "two things");
    finds(order::ck4_holes, &sent.clone().database(4, &[&a, &c], &[2]), "ends at 3");
    finds(order::ck4_holes, &sent.holds("rest:bob", &[&c, &a]), "message seq 1 after 3");
}

#[test]
fn g4_ck4_accepts_that_a_deletion_takes_the_edits_with_it() {
    let a = message(1, "a", "one");
    let (edited, gone) = (changed(&a, 2, Some("edit")), changed(&a, 3, None));
    let start = Script::new().send(1, 10, "a", "one").ack(1, 10, &a);
    let known = start.clone().edit(1, 11, 101, "edit").ack(1, 11, &edited);
    accepts(order::ck4_holes, &known.database(3, &[&gone], &[]));
    // Nobody was told of the edit, but it was asked for: it may have taken the seq.
    accepts(order::ck4_holes, &start.clone().edit(1, 11, 101, "edit").database(3, &[&gone], &[]));
    // Its first answer was lost, and the repetition was carried out as well.
    let (twice, last) = (changed(&a, 3, Some("edit")), changed(&a, 4, None));
    let again = start.clone().edit(1, 11, 101, "edit").kill().close("alice", 1, None, None);
    let again = again.connect("alice", 3).edit(3, 11, 101, "edit").ack(3, 11, &twice);
    accepts(order::ck4_holes, &again.database(4, &[&last], &[]));
    finds(order::ck4_holes, &start.database(3, &[&gone], &[]), "seqs [2] are missing");
}

#[test]
fn g4_ck5_finds_readers_that_disagree() {
    let (a, b) = (message(1, "a", "one"), message(2, "b", "two"));
    let swapped = crate::history::Message { seq: 1, change_seq: 1, ..b };
    let sent = Script::new().send(1, 10, "a", "one").ack(1, 10, &a);
    finds(order::ck5_disagreement, &sent.clone().bob(event(Kind::Created, &swapped)), "seq 1");
    let other = changed(&a, 1, Some("another"));
    finds(order::ck5_disagreement, &sent.clone().bob(event(Kind::Created, &other)), "change 1");
    let mut odd = event(Kind::Created, &a);
    odd.seq = 9;
    finds(order::ck5_disagreement, &sent.bob(odd), "another seq than its message");
}

#[test]
fn g4_ck6_finds_an_order_against_real_time() {
    let (early, late) = (message(2, "a", "one"), message(1, "b", "two"));
    let after = Script::new().send(1, 10, "a", "one").ack(1, 10, &early).send(1, 11, "b", "two");
    finds(order::ck6_real_time, &after.ack(1, 11, &late), "seq 1 began after 2");
    let open = Script::new().send(1, 10, "a", "one").send(1, 11, "b", "two");
    let answered = open.ack(1, 10, &early).ack(1, 11, &late);
    finds(order::ck6_real_time, &answered, "for a later send");
    // A repetition long after is answered with the first seq, and that is right.
    let first = message(1, "a", "one");
    let next = message(2, "b", "two");
    let repeated = Script::new().send(1, 10, "a", "one").ack(1, 10, &first).send(1, 11, "b", "two");
    let repeated = repeated.ack(1, 11, &next).send(1, 12, "a", "one").stored(1, 12, &first, true);
    accepts(order::ck6_real_time, &repeated);
}

#[test]
fn g5_ck7_finds_gaps_repeats_and_wrong_replays() {
    let [a, b, c] = [message(1, "a", "1"), message(2, "b", "2"), message(3, "c", "3")];
    let created = |m| event(Kind::Created, m);
    let one = Script::new().bob(created(&a));
    accepts(delivery::ck7_delivery, &one.clone().bob(created(&b)).bob(created(&c)));
    finds(delivery::ck7_delivery, &one.clone().bob(created(&c)), "got seq 3");
    finds(delivery::ck7_delivery, &one.clone().bob(created(&a)), "got seq 1");
    finds(delivery::ck7_delivery, &one.clone().bob(created(&c)).bob(created(&b)), "in place of");
    finds(
        delivery::ck7_delivery,
        &one.clone().replay(4, 0, 2, vec![created(&b)]),
        "begins after 0",
    );
    finds(delivery::ck7_delivery, &one.clone().replay(4, 1, 2, vec![created(&c)]), "seq 3 after 1");
    let swapped = one.clone().replay(4, 1, 3, vec![created(&c), created(&b)]);
    finds(delivery::ck7_delivery, &swapped, "seq 2 after 3");
    accepts(
        delivery::ck7_delivery,
        &one.clone().replay(4, 1, 3, vec![created(&c)]).bob(created(&message(4, "d", "4"))),
    );
    let skipped = Script::new().send(1, 10, "c", "3").ack(1, 10, &c);
    finds(delivery::ck7_delivery, &skipped, "was answered seq 3");
    finds(delivery::ck7_complete, &one.database(2, &[&a, &b], &[]), "bob ends at Some(1)");
}

#[test]
fn g6_ck8_finds_a_device_that_missed_an_edit() {
    let a = message(1, "a", "one");
    let edited = changed(&a, 2, Some("edit"));
    let missed = Script::new().holds("device:bob", &[&a]).database(2, &[&edited], &[]);
    finds(delivery::ck8_state, &missed, "bob holds");
    let has = Script::new().holds("device:bob", &[&edited]).database(2, &[&edited], &[]);
    accepts(delivery::ck8_state, &has);
}

#[test]
fn g10_ck9_finds_what_somebody_got_who_had_left() {
    let (said, later) = (message(1, "a", "one"), message(3, "c", "three"));
    let left = Script::new()
        .bob(event(Kind::Created, &said))
        .get("alice", 1, movement(Kind::Left, 2, "bob"))
        .bob(movement(Kind::Left, 2, "bob"));
    accepts(entitlement::ck9_entitlement, &left);
    finds(
        entitlement::ck9_entitlement,
        &left.clone().bob(event(Kind::Created, &later)),
        "bob of bob got",
    );
    let back = left.get("alice", 1, movement(Kind::Joined, 4, "bob")).bob(movement(
        Kind::Joined,
        4,
        "bob",
    ));
    accepts(
        entitlement::ck9_entitlement,
        &back.clone().bob(event(Kind::Created, &message(5, "e", "5"))),
    );
    // Said while he was away, edited after his return: not his to see.
    let edited = changed(&later, 5, Some("edit"));
    finds(entitlement::ck9_entitlement, &back.bob(event(Kind::Edited, &edited)), "bob of bob got");
}

#[test]
fn g11_ck10_finds_bytes_of_a_foreign_conversation() {
    let marker = |device: &str| What::Marker { device: device.into(), marker: "secret-1".into() };
    accepts(entitlement::ck10_leak, &Script::new().add(marker("bob")));
    let eve = Script::new().connect("eve", 9).add(marker("eve"));
    finds(entitlement::ck10_leak, &eve, "eve of eve");
}

#[test]
fn g14_ck12_finds_silence_and_double_answers() {
    let a = message(1, "a", "one");
    let sent = Script::new().send(1, 10, "a", "one");
    finds(answers::ck12_silence, &sent, "operation 10");
    accepts(answers::ck12_silence, &sent.clone().kill().close("alice", 1, None, None));
    finds(answers::ck12_silence, &sent.ack(1, 10, &a).ack(1, 10, &a), "answers nothing");
}

#[test]
fn g21_ck13_finds_deleted_content() {
    let a = message(1, "a", "one");
    let gone = changed(&a, 2, None);
    let deleted = Script::new().delete(1, 11, 101).ack(1, 11, &gone);
    finds(answers::ck13_gone, &deleted.clone().holds("rest:bob", &[&a]), "rest:bob got");
    let back = deleted.clone().connect("bob", 4);
    finds(answers::ck13_gone, &back.replay(4, 0, 2, vec![event(Kind::Created, &a)]), "bob got");
    // What was on its way when the deletion was answered may still arrive.
    accepts(answers::ck13_gone, &deleted.bob(event(Kind::Created, &a)));
}

#[test]
fn ck15_finds_wrong_close_codes() {
    let start = Script::new();
    accepts(answers::ck15_close_reason, &start.clone().kill().close("bob", 2, None, None));
    finds(answers::ck15_close_reason, &start.clone().close("bob", 2, None, None), "bob: closed");
    finds(answers::ck15_close_reason, &start.clone().close("bob", 2, Some(1011), None), "1011");
    let shutdown = Some(Cause::Shutdown);
    finds(answers::ck15_close_reason, &start.clone().close("bob", 2, Some(1000), shutdown), "1000");
    // Who connected at the end of a fault may be written down after it; who came later had another reason.
    let over = start.kill().add(What::Fault { name: "kill".into(), on: false });
    let soon = over.clone().connect("bob", 3).close("bob", 3, None, None);
    accepts(answers::ck15_close_reason, &soon);
    let later = (0..1_001).fold(over, |script, _| script.base("bob", 0));
    let later = later.connect("bob", 3).close("bob", 3, None, None);
    finds(answers::ck15_close_reason, &later, "bob: closed");
}
