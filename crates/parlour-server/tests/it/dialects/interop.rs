//! One conversation, a client of every kind in it: what each says, edits, deletes, reads and types reaches each that has
//! a frame for it, with the same id, in the same order.

use serde_json::{Value, json};

use super::{ALICE, ALL, BOB, Heard, Socket, Spoken, Stage, said};
use crate::{cluster::Several, gateway::client::Client};

/// Somebody who listens natively, heard in the same words as the others.
struct Native(Client);

impl Native {
    fn next(&mut self, kind: &str) -> Value {
        self.0.wait(|frame| frame["type"] == kind)
    }

    fn said(&mut self) -> Heard {
        let message = self.next("message.created")["message"].clone();
        said(
            message["id"].as_u64().unwrap(),
            message["sender"]["id"].as_str().unwrap(),
            message["content"].as_str().unwrap(),
        )
    }
}

/// Alice and bob, each with a socket of every dialect and a native one; alice's at one process, bob's perhaps at another.
struct Everybody {
    /// Alice's process.
    stage: Stage,
    /// Bob's, where it is another.
    elsewhere: Option<(Stage, Several)>,
    alices: Vec<Socket>,
    bobs: Vec<Socket>,
    natives: [Native; 2],
}

impl Everybody {
    fn gather() -> Self {
        Self::on(Stage::new(), None)
    }

    /// Over two processes; `None` where there is no PostgreSQL or Redis.
    fn gather_over_two() -> Option<Self> {
        let several = Several::start(&[])?;
        let (one, other) = (several.server(&[]), several.server(&[]));
        Some(Self::on(Stage::on(one), Some((Stage::on(other), several))))
    }

    fn on(stage: Stage, elsewhere: Option<(Stage, Several)>) -> Self {
        let bobs_stage = elsewhere.as_ref().map_or(&stage, |(stage, _)| stage);
        let all = |stage: &Stage, user: &str| {
            ALL.into_iter().map(|spoken| stage.socket(spoken, user)).collect::<Vec<_>>()
        };
        let (alices, bobs) = (all(&stage, ALICE), all(bobs_stage, BOB));
        let natives = [(&stage, ALICE), (bobs_stage, BOB)]
            .map(|(stage, user)| Native(stage.server.live(user)));
        Self { stage, elsewhere, alices, bobs, natives }
    }

    /// Where bob is.
    fn bobs_stage(&self) -> &Stage {
        self.elsewhere.as_ref().map_or(&self.stage, |(stage, _)| stage)
    }

    fn sockets(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.alices.iter_mut().chain(&mut self.bobs)
    }

    /// Those with frames for it hear something; the others never hear anything unknown, which their words see to.
    #[track_caller]
    fn hear(&mut self, what: &Heard, but: Option<Spoken>) {
        let only_rich = !matches!(what, Heard::Said { .. });
        for socket in self.alices.iter_mut().chain(&mut self.bobs) {
            let speaks = Some(socket.spoken) != but;
            if speaks && (socket.spoken.rich || !only_rich) {
                socket.wait(|heard| heard == what);
            }
        }
    }
}

#[test]
fn everything_that_is_said_reaches_everybody_with_one_id_in_one_order() {
    everything_that_is_said_reaches_everybody_with_one_id_in_one_order_among(Everybody::gather());
}

#[test]
fn g5_everything_that_is_said_reaches_everybody_with_one_id_in_one_order_over_two_processes() {
    if let Some(all) = Everybody::gather_over_two() {
        everything_that_is_said_reaches_everybody_with_one_id_in_one_order_among(all);
    }
}

fn everything_that_is_said_reaches_everybody_with_one_id_in_one_order_among(mut all: Everybody) {
    let talk = all.stage.talk;
    let mut told = Vec::new();
    for round in 0..3 {
        for alice in &mut all.alices {
            let text = format!("{round} in {}", alice.spoken.name);
            let id = alice.said(&text);
            told.push(said(id, ALICE, &text));
        }
        let text = format!("{round} over REST");
        told.push(said(all.bobs_stage().say(BOB, &text), BOB, &text));
        let text = format!("{round} natively");
        let send = json!({ "type": "message.send", "conversation_id": talk, "content": text });
        let reply = all.natives[0].0.ask(send);
        told.push(said(reply["ok"]["message"]["id"].as_u64().unwrap(), ALICE, &text));
    }
    let count = told.len();
    // Bob's sockets see everything; alice's all but what each of them said itself, which it was told then.
    for bob in &mut all.bobs {
        let heard: Vec<_> = (0..count).map(|_| bob.wait(Heard::is_durable)).collect();
        assert_eq!(heard, told, "{}", bob.spoken.name);
    }
    for alice in &mut all.alices {
        let name = format!("in {}", alice.spoken.name);
        let others: Vec<_> = told
            .iter()
            .filter(|heard| !matches!(heard, Heard::Said { text, .. } if text.ends_with(&name)))
            .cloned()
            .collect();
        let heard: Vec<_> = others.iter().map(|_| alice.wait(Heard::is_durable)).collect();
        assert_eq!(heard, others, "{}", alice.spoken.name);
    }
    let native: Vec<_> = (0..count).map(|_| all.natives[1].said()).collect();
    assert_eq!(native, told);
    let history = all.bobs_stage().history(BOB);
    let ids: Vec<_> = told
        .iter()
        .map(|heard| match heard {
            Heard::Said { id, text, .. } => (*id, text.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(history, ids);
    // Nothing comes twice, and nothing else.
    for socket in all.sockets() {
        let rest = socket.settle();
        assert!(!rest.iter().any(Heard::is_durable), "{}: {rest:?}", socket.spoken.name);
    }
}

#[test]
fn edits_and_deletions_of_each_reach_each() {
    edits_and_deletions_of_each_reach_each_among(Everybody::gather());
}

#[test]
fn g5_edits_and_deletions_of_each_reach_each_over_two_processes() {
    if let Some(all) = Everybody::gather_over_two() {
        edits_and_deletions_of_each_reach_each_among(all);
    }
}

fn edits_and_deletions_of_each_reach_each_among(mut all: Everybody) {
    for (n, spoken) in ALL.into_iter().enumerate() {
        let text = format!("said in {}", spoken.name);
        let id = all.alices[n].said(&text);
        all.hear(&said(id, ALICE, &text), Some(spoken));
        assert_eq!(all.natives[1].said(), said(id, ALICE, &text));
        // Each is changed in another way than it was said.
        let edited = format!("edited, {}", spoken.name);
        let by = n % 3;
        all.alices[by].edit(id, &edited);
        all.hear(&Heard::Edited(id, edited.clone()), None);
        assert_eq!(all.natives[1].next("message.edited")["message"]["content"], edited);
        match n {
            0 => all.stage.delete(ALICE, id),
            1 => {
                let delete = json!({ "type": "message.delete", "message_id": id });
                assert!(all.natives[0].0.ask(delete)["ok"].is_object());
            }
            _ => all.alices[(n + 1) % 3].delete(id),
        }
        all.hear(&Heard::Deleted(id), None);
        assert_eq!(all.natives[1].next("message.deleted")["message"]["id"], id);
    }
}

#[test]
fn receipts_of_each_reach_each() {
    receipts_of_each_reach_each_among(Everybody::gather());
}

#[test]
fn g5_receipts_of_each_reach_each_over_two_processes() {
    if let Some(all) = Everybody::gather_over_two() {
        receipts_of_each_reach_each_among(all);
    }
}

fn receipts_of_each_reach_each_among(mut all: Everybody) {
    let talk = all.stage.talk;
    // Bob reads in five ways what alice says.
    for n in 0..5 {
        let text = format!("read {n}");
        let id = all.alices[0].said(&text);
        all.hear(&said(id, ALICE, &text), Some(ALL[0]));
        match n {
            3 => all.bobs_stage().read(BOB, id),
            4 => {
                let read = json!({ "type": "read", "conversation_id": talk, "message_id": id });
                assert!(all.natives[1].0.ask(read)["ok"].is_object());
            }
            _ => all.bobs[n].read_up_to(&[id]),
        }
        let read = Heard::Read(vec![id], BOB.to_owned());
        for socket in all.alices.iter_mut().filter(|socket| socket.spoken.rich) {
            socket.wait(|heard| *heard == read);
        }
        let seq = all.natives[1].next("message.created")["seq"].clone();
        all.natives[0].0.wait(|frame| {
            frame["type"] == "receipt" && frame["user_id"] == BOB && frame["read_seq"] == seq
        });
    }
}

#[test]
fn typing_of_each_reaches_each() {
    typing_of_each_reaches_each_among(Everybody::gather());
}

#[test]
fn g5_typing_of_each_reaches_each_over_two_processes() {
    if let Some(all) = Everybody::gather_over_two() {
        typing_of_each_reaches_each_among(all);
    }
}

fn typing_of_each_reaches_each_among(mut all: Everybody) {
    let talk = all.stage.talk;
    for n in 0..5 {
        for on in [true, false] {
            match n {
                3 => {
                    let path = format!("/api/v1/conversations/{talk}/typing");
                    all.stage.post(ALICE, &path, &json!({ "active": on }));
                }
                4 => {
                    let typing = json!({ "type": "typing", "conversation_id": talk, "active": on });
                    all.natives[0].0.ask(typing);
                }
                _ => all.alices[n].typing(on),
            }
            let typing = Heard::Typing(ALICE.to_owned(), on);
            for socket in all.bobs.iter_mut().filter(|socket| socket.spoken.rich) {
                socket.wait(|heard| *heard == typing);
            }
            all.natives[1].0.wait(|frame| {
                frame["type"] == "typing" && frame["user_id"] == ALICE && frame["active"] == on
            });
        }
    }
}

#[test]
fn m7_long_and_strange_texts_and_answers_are_whole_in_every_dialect() {
    let mut all = Everybody::gather();
    let talk = all.stage.talk;
    let long = "\u{1f600}\"\\\n".repeat(16 * 1024 / 7);
    let id = all.stage.say(ALICE, &long);
    all.hear(&said(id, ALICE, &long), None);
    // What only some protocols can say arrives in the others as what they know.
    let answer = json!({ "type": "message.send", "conversation_id": talk, "content": "an answer", "reply_to": id, "metadata": { "item_id": "odd" } });
    let reply = all.natives[0].0.ask(answer);
    let answer = reply["ok"]["message"]["id"].as_u64().unwrap();
    all.hear(&said(answer, ALICE, "an answer"), None);
    for socket in all.sockets() {
        let rest = socket.settle();
        assert!(!rest.iter().any(Heard::is_durable), "{}: {rest:?}", socket.spoken.name);
    }
}
