//! The demonstration: people, conversations and a history, for trying things out.

use std::sync::Arc;

use parlour_core::{
    ClientId, ConversationId, UserId,
    command::{Actor, MarkTarget, NewConversation, SendMessage},
    model::{ConversationKind, Credential, MessageKind, Millis},
    port::{
        clock::Clock,
        store::{Context, ProfileUpdate, Store},
    },
};

use crate::{auth::Auth, pusher::apps::DEMO as PUSHER};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "demo";

/// Somebody of the demonstration.
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) username: &'static str,
    pub(crate) name: &'static str,
}

const fn person(id: &'static str, username: &'static str, name: &'static str) -> Person {
    Person { id, username, name }
}

/// The people. Alice and Bob are 1 and 2.
pub(crate) const PEOPLE: [Person; 8] = [
    person("1", "alice", "Alice Archer"),
    person("2", "bob", "Bob Baker"),
    person("3", "carla", "Carla Conti"),
    person("4", "dmitri", "Dmitri Danilov"),
    person("5", "emeka", "Emeka Eze"),
    person("6", "fatima", "Fatima Farouk"),
    person("7", "grace", "Grace Gruber"),
    person("8", "hiro", "Hiro Hayashi"),
];

/// A conversation with its history; each message is who (by number), minutes after the one before, and what.
struct Scene {
    group: Option<(&'static str, &'static str)>,
    subject: Option<&'static str>,
    people: &'static [usize],
    messages: &'static [(usize, i64, &'static str)],
    /// How many of the newest messages the first person has not read.
    unread: usize,
}

const SCENES: [Scene; 6] = [
    Scene {
        group: None,
        subject: None,
        people: &[1, 2],
        messages: &[
            (2, 0, "Hi Alice! Is the blue bicycle still for sale?"),
            (1, 4, "Hi Bob, yes it is. It has new brakes since last week."),
            (2, 2, "Great. Would Saturday morning work to have a look?"),
            (1, 9, "Saturday at ten? The address is Mill Lane 4, the yard behind the bakery."),
            (2, 1, "Perfect, I know the bakery 🥐"),
            (1, 1, "Then bring an appetite."),
            (2, 1_380, "On my way, five minutes late. Sorry!"),
            (1, 3, "No hurry, the coffee is still brewing."),
            (2, 95, "Thank you again. It rides **beautifully**."),
        ],
        unread: 1,
    },
    Scene {
        group: Some(("Trip to Lisbon", "demo/lisbon")),
        subject: Some("trip/lisbon"),
        people: &[1, 2, 3, 6],
        messages: &[
            (3, 0, "I found flights for the 14th, leaving at 9:40. Everybody in?"),
            (6, 6, "In! But I need a window seat this time."),
            (2, 3, "In. Carry-on only?"),
            (1, 12, "In. I vote for carry-on, we have a washing machine there."),
            (3, 1, "Booked. Four seats, one window for Fatima."),
            (6, 2, "You are the best ❤️"),
            (2, 220, "What is the address of the flat?"),
            (3, 15, "Rua da Bica 22, third floor. No lift, so: carry-on it is."),
        ],
        unread: 2,
    },
    Scene {
        group: Some(("Night shift", "demo/night-shift")),
        subject: None,
        people: &[1, 4, 5, 7, 8],
        messages: &[
            (7, 0, "Handover: two deliveries are still open, see the board."),
            (4, 3, "I take the one for the harbour."),
            (8, 1, "Then I have the other one."),
            (5, 40, "The printer on the second floor is out of paper again."),
            (7, 2, "There is a box under the stairs."),
            (5, 5, "Found it, thanks."),
            (1, 60, "Good work everybody, the morning team says hello."),
        ],
        unread: 0,
    },
    Scene {
        group: None,
        subject: Some("booking/42"),
        people: &[1, 7],
        messages: &[
            (7, 0, "Hello, I booked the room for the 3rd to the 6th. Can I check in after 22:00?"),
            (
                1,
                25,
                "Of course. The key is in the box next to the door; the code comes on the day.",
            ),
            (7, 2, "Very kind, thank you."),
        ],
        unread: 0,
    },
    Scene {
        group: None,
        subject: Some("item/5"),
        people: &[2, 5],
        messages: &[
            (5, 0, "I think I found your umbrella. Black, wooden handle?"),
            (2, 7, "That is the one! Where can I pick it up?"),
            (5, 2, "At the library desk, until six."),
        ],
        unread: 1,
    },
    Scene {
        group: None,
        subject: None,
        people: &[1, 3],
        messages: &[
            (3, 0, "Did you see the forecast for Lisbon? 24 degrees."),
            (1, 14, "Packing the sunglasses then."),
            (3, 1, "And a jacket for the evenings, says the person who froze last year."),
        ],
        unread: 1,
    },
];

/// Fills an empty database. One that holds anybody else's data is left alone; a seeding that was broken off is finished.
pub(crate) async fn seed(auth: &Auth, store: &dyn Store, clock: &dyn Clock) -> anyhow::Result<()> {
    if store.credential(PEOPLE[0].username.into()).await?.is_some() {
        return Ok(());
    }
    if !fits(store).await? {
        tracing::warn!("the database is not empty: the people of the demonstration are not added");
        return Ok(());
    }
    let now = clock.now();
    for person in &PEOPLE {
        let update = ProfileUpdate {
            id: UserId::new(person.id)?,
            username: Some(person.username.into()),
            name: Some(person.name.into()),
            email: Some(format!("{}@example.org", person.username).into()),
            avatar: None,
        };
        store.save_user(update, now).await?;
    }
    for (index, scene) in SCENES.iter().enumerate() {
        play(store, index, scene, now).await?;
    }
    // The first person's password comes last: it says that everything is there.
    let hash = auth.hash_password(PASSWORD).await?;
    for person in PEOPLE.iter().rev() {
        let user = UserId::new(person.id)?;
        let credential =
            Credential { user, username: person.username.into(), password: hash.clone() };
        store.set_credential(credential, now).await?;
    }
    Ok(())
}

/// Whether a database is the demonstration's own, or may become it. What everybody knows opens no other one.
pub(crate) async fn fits(store: &dyn Store) -> anyhow::Result<bool> {
    let first = &PEOPLE[0];
    let known = store.user(UserId::new(first.id)?).await?;
    Ok(known.is_none_or(|user| &*user.profile.username == first.username))
}

async fn play(store: &dyn Store, index: usize, scene: &Scene, now: Millis) -> anyhow::Result<()> {
    let actor = |person: usize| -> anyhow::Result<Actor> {
        let person = PEOPLE.get(person - 1).ok_or_else(|| anyhow::anyhow!("nobody"))?;
        Ok(Actor::user(UserId::new(person.id)?))
    };
    let length: Millis = scene.messages.iter().map(|(_, minutes, _)| minutes * 60_000).sum();
    // The scenes end one after the other, so that the list has an order.
    let end = now - Millis::try_from(index)? * 47 * 60_000 - 11 * 60_000;
    let mut at = end - length;
    let context =
        |actor: Actor, now: Millis| Context { actor, now, origin: None, create_users: true };

    let viewer = scene.people.first().copied().unwrap_or(1);
    let conversation = conversation(store, scene, context(actor(viewer)?, at), &actor).await?;
    let mut ids = Vec::new();
    for (number, (who, minutes, text)) in scene.messages.iter().enumerate() {
        at += minutes * 60_000;
        let message = SendMessage {
            conversation,
            client_id: Some(ClientId::new(&format!("demo-{index}-{number}"))?),
            text: (*text).into(),
            metadata: None,
            reply_to: None,
            kind: MessageKind::Text,
            recipient: None,
            subject: None,
        };
        let sent = store.append_message(context(actor(*who)?, at), message).await?;
        ids.push(sent.message.id);
    }
    for person in scene.people {
        let unread = if *person == viewer { scene.unread } else { 0 };
        let last = ids.len().checked_sub(unread + 1).and_then(|last| ids.get(last));
        if let Some(id) = last {
            let up_to = MarkTarget::Message(*id);
            store.mark(context(actor(*person)?, at), conversation, up_to, true).await?;
        }
    }
    Ok(())
}

async fn conversation(
    store: &dyn Store,
    scene: &Scene,
    context: Context,
    actor: &impl Fn(usize) -> anyhow::Result<Actor>,
) -> anyhow::Result<ConversationId> {
    let others = scene.people.iter().skip(1);
    let participants =
        others.map(|person| actor(*person).map(|a| a.user)).collect::<Result<_, _>>()?;
    let text = |text: &str| Arc::from(text);
    let new = NewConversation {
        kind: if scene.group.is_some() {
            ConversationKind::Group
        } else {
            ConversationKind::Direct
        },
        participants,
        title: scene.group.map(|(title, _)| text(title)),
        subject: scene.subject.map(text),
        external_id: scene.group.map(|(_, id)| text(id)),
        metadata: None,
    };
    Ok(store.create_conversation(context, new).await?.summary.conversation.id)
}

/// What `serve --demo` prints; `pusher` when the application for trying things out is there.
pub(crate) fn welcome(address: std::net::SocketAddr, pusher: bool) -> String {
    let names = PEOPLE.iter().map(|person| person.username).collect::<Vec<_>>().join(", ");
    let (id, key, secret) = PUSHER;
    let pusher = match pusher {
        true => format!("Pusher clients: app id {id}, key {key}, secret {secret}\n"),
        false => String::new(),
    };
    format!(
        "\nParlour is at http://{address}\n\nSign in as two people, in two browsers (or one private window):\n  \
         alice, password {PASSWORD}\n  bob,   password {PASSWORD}\nAlso there: {names}\n{pusher}"
    )
}
