//! One hint as bytes: its kind, the length of its body, its body.
//!
//! A body only ever grows at its end, so that an older program reads the part it knows. Kinds are never given anew.

use std::time::Duration;

use parlour_core::{
    ConversationId, Seq,
    event::PresenceStatus,
    port::bus::{Hint, Seen},
};

use super::{
    Broken, LONGEST_HINT, TooLarge,
    bytes::{Reader, put_counted, put_number},
};

const HEAD: u8 = 1;
const RECEIPTS: u8 = 2;
const USER: u8 = 3;
const TYPING: u8 = 4;
const PRESENCE: u8 = 5;
const WHO_IS_THERE: u8 = 6;
const ALIVE: u8 = 7;
const LEAVING: u8 = 8;
const CHANNEL: u8 = 9;

/// How many bytes of people go in one hint; more are split.
const PEOPLE_BYTES: usize = 8 * 1024;
/// How many conversations go in one record of a person, or in one question; more are split.
const CONVERSATIONS: usize = 800;
/// Longest life of a Signal that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(60);

/// What a record of a frame says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Hint(Hint),
    /// A kind that a newer program made.
    Unknown,
}

/// Reads the body of a hint.
pub(super) fn read(kind: u8, body: &[u8]) -> Result<Read, Broken> {
    let mut body = Reader(body);
    let hint = match kind {
        HEAD => {
            Hint::Head { conversation: ConversationId(body.number()?), seq: Seq(body.number()?) }
        }
        RECEIPTS => {
            Hint::Receipts { conversation: ConversationId(body.number()?), version: body.number()? }
        }
        USER => Hint::User(body.user()?),
        TYPING => Hint::Typing {
            conversation: ConversationId(body.number()?),
            user: body.user()?,
            active: body.byte()? != 0,
            life: Duration::from_millis(body.number()?).min(LONGEST_LIFE),
        },
        PRESENCE => Hint::Presence(people(&mut body)?),
        WHO_IS_THERE => Hint::WhoIsThere(conversations(&mut body)?),
        ALIVE => Hint::Alive,
        LEAVING => Hint::Leaving,
        CHANNEL => Hint::Channel(body.counted()?.into()),
        _ => return Ok(Read::Unknown),
    };
    Ok(Read::Hint(hint))
}

fn people(body: &mut Reader<'_>) -> Result<Vec<Seen>, Broken> {
    // A person takes a length, a user of one byte with its length, a status, a time and a count.
    let count = body.count(6)?;
    let mut people = Vec::with_capacity(count);
    for _ in 0..count {
        let mut person = Reader(body.counted()?);
        let user = person.user()?;
        let status = status(person.byte()?);
        let last_seen = i64::try_from(person.number()?).map_err(|_| Broken)?;
        let conversations = conversations(&mut person)?;
        // Who is something that only newer programs know is left out.
        people.extend(status.map(|status| Seen { user, status, last_seen, conversations }));
    }
    Ok(people)
}

fn conversations(body: &mut Reader<'_>) -> Result<Vec<ConversationId>, Broken> {
    let count = body.count(1)?;
    (0..count).map(|_| body.number().map(ConversationId)).collect()
}

const fn status(byte: u8) -> Option<PresenceStatus> {
    match byte {
        0 => Some(PresenceStatus::Offline),
        1 => Some(PresenceStatus::Away),
        2 => Some(PresenceStatus::Online),
        _ => None,
    }
}

const fn status_byte(status: PresenceStatus) -> u8 {
    match status {
        PresenceStatus::Offline => 0,
        PresenceStatus::Away => 1,
        PresenceStatus::Online => 2,
    }
}

/// Gives the records of a hint: one, or several where it is large and can be split.
pub(super) fn write(hint: &Hint, mut each: impl FnMut(&[u8])) -> Result<(), TooLarge> {
    let mut body = Vec::with_capacity(32);
    let mut out = Vec::with_capacity(32);
    let mut record = |kind: u8, body: &[u8]| {
        out.clear();
        out.push(kind);
        put_counted(&mut out, body);
        each(&out);
    };
    match hint {
        Hint::Head { conversation, seq } => {
            put_number(&mut body, conversation.0);
            put_number(&mut body, seq.0);
            record(HEAD, &body);
        }
        Hint::Receipts { conversation, version } => {
            put_number(&mut body, conversation.0);
            put_number(&mut body, *version);
            record(RECEIPTS, &body);
        }
        Hint::User(user) => {
            put_counted(&mut body, user.as_str().as_bytes());
            record(USER, &body);
        }
        Hint::Typing { conversation, user, active, life } => {
            put_number(&mut body, conversation.0);
            put_counted(&mut body, user.as_str().as_bytes());
            body.push(u8::from(*active));
            put_number(&mut body, u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
            record(TYPING, &body);
        }
        Hint::Presence(seen) => write_people(seen, |body| record(PRESENCE, body)),
        Hint::WhoIsThere(asked) => {
            for some in asked.chunks(CONVERSATIONS) {
                body.clear();
                put_conversations(&mut body, some);
                record(WHO_IS_THERE, &body);
            }
        }
        Hint::Alive => record(ALIVE, &[]),
        Hint::Leaving => record(LEAVING, &[]),
        Hint::Channel(bytes) => {
            if bytes.len() > LONGEST_HINT {
                return Err(TooLarge);
            }
            put_counted(&mut body, bytes);
            record(CHANNEL, &body);
        }
    }
    Ok(())
}

/// Several bodies, where they are many. Somebody with very many conversations is in it more than once.
fn write_people(seen: &[Seen], mut each: impl FnMut(&[u8])) {
    let (mut people, mut count, mut person, mut body) = (Vec::new(), 0, Vec::new(), Vec::new());
    let mut flush = |people: &mut Vec<u8>, count: &mut u64| {
        body.clear();
        put_number(&mut body, *count);
        body.append(people);
        each(&body);
        *count = 0;
    };
    for one in seen {
        let mut parts = one.conversations.chunks(CONVERSATIONS);
        let mut part = parts.next().unwrap_or_default();
        loop {
            person.clear();
            put_counted(&mut person, one.user.as_str().as_bytes());
            person.push(status_byte(one.status));
            put_number(&mut person, one.last_seen.unsigned_abs());
            put_conversations(&mut person, part);
            if count > 0 && people.len() + person.len() > PEOPLE_BYTES {
                flush(&mut people, &mut count);
            }
            put_counted(&mut people, &person);
            count += 1;
            match parts.next() {
                Some(next) => part = next,
                None => break,
            }
        }
    }
    if count > 0 {
        flush(&mut people, &mut count);
    }
}

fn put_conversations(out: &mut Vec<u8>, conversations: &[ConversationId]) {
    put_number(out, conversations.len() as u64);
    for conversation in conversations {
        put_number(out, conversation.0);
    }
}
