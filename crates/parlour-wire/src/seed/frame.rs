//! Reading frames: first their type and the name of the send, then the fields that this type has.
//!
//! A frame is looked at twice, so that a field matters only to the types that have it: a client may put an `id` of its
//! own into a send without being misunderstood.

use std::{borrow::Cow, sync::Arc};

use parlour_core::{
    ClientId, Code, Error, MessageId, command::Command, ids::MAX_INTEGER, limits::Limits,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use serde_json::value::RawValue;

use crate::{Request, Tag, json};

/// What every frame may have.
#[derive(Deserialize)]
pub(crate) struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_id: Option<Cow<'a, str>>,
    #[serde(rename = "tempId", borrow)]
    temp_id: Option<Cow<'a, str>>,
    #[serde(rename = "temp_id", borrow)]
    temporary_id: Option<Cow<'a, str>>,
}

impl Head<'_> {
    /// The type of the frame.
    ///
    /// # Errors
    /// [`Code::InvalidFrame`] when it has none.
    pub(crate) fn kind(&self) -> Result<&str, Error> {
        let missing = || Error::new(Code::InvalidFrame, "missing field `type`");
        self.kind.as_deref().ok_or_else(missing)
    }

    /// The name of the send: `client_id`, or one of its synonyms.
    ///
    /// # Errors
    /// Those of [`ClientId::new`].
    pub(crate) fn client_id(&self) -> Result<Option<ClientId>, Error> {
        self.given().map(ClientId::new).transpose()
    }

    /// The refusal for a type that there is not.
    pub(crate) fn unknown() -> Error {
        Error::new(Code::UnknownType, "there is no frame of this type")
    }

    fn given(&self) -> Option<&str> {
        let synonyms = || self.temp_id.as_deref().or(self.temporary_id.as_deref());
        self.client_id.as_deref().or_else(synonyms)
    }

    fn tag(&self) -> Tag {
        let short = |id: &&str| id.chars().count() <= ClientId::MAX_CHARS;
        Tag { id: None, client_id: self.given().filter(short).map(Arc::from) }
    }
}

/// The one request of a frame; `command` reads the rest once its head is known.
pub(crate) fn request<'a>(
    text: &'a str,
    limits: &Limits,
    command: impl FnOnce(&Head<'a>) -> Result<Command, Error>,
) -> Request {
    match json::parse::<Head<'a>>(text, limits.json_depth).and_then(|head| object(text, head)) {
        Ok(head) => Request { tag: head.tag(), command: command(&head) },
        Err(error) => Request { tag: Tag::default(), command: Err(error) },
    }
}

/// serde reads a list as a struct, field after field; a frame is an object.
fn object<T>(text: &str, read: T) -> Result<T, Error> {
    if text.trim_start().starts_with('{') {
        return Ok(read);
    }
    Err(Error::new(Code::InvalidFrame, "a frame is an object"))
}

/// The fields of a frame whose [`Head`] has been read.
///
/// # Errors
/// [`Code::InvalidFrame`] when they do not fit.
pub(crate) fn fields<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    json::fit(text)
}

/// The type of a frame, where it has one: for telling dialects apart.
pub(crate) fn kind(text: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Only<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<Cow<'a, str>>,
    }
    let only = serde_json::from_str::<Only<'_>>(text).ok()?;
    object(text, only).ok()?.kind
}

/// Refuses a send that carries files, rather than losing them without a word.
///
/// # Errors
/// [`Code::InvalidFrame`] when `files` is more than null or an empty list.
pub(crate) fn no_files(files: Option<&RawValue>) -> Result<(), Error> {
    let nothing = |raw: &RawValue| {
        let list = raw.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        raw.get() == "null" || list.is_some_and(|inner| inner.trim().is_empty())
    };
    if files.is_none_or(nothing) {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidFrame,
        "attachments are not taken here yet; send the text, and a link to the file in it",
    ))
}

/// The id of a message or conversation: a number below 2^53. Clients that took theirs from an address have it as a
/// text; a canonical decimal one is read too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number(pub u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let canonical = text == "0" || !text.starts_with(['0', '+']);
                let number = text.parse().ok().filter(|_| canonical);
                self.visit_u64(number.ok_or_else(|| E::custom("no id"))?)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
                if number > MAX_INTEGER {
                    return Err(E::custom("a number this large is no id"));
                }
                Ok(Number(number))
            }
        }
        deserializer.deserialize_any(Either).map_err(D::Error::custom)
    }
}

/// So many ids of a read receipt are looked at.
pub(crate) const RECEIPT_IDS: usize = 500;

/// The messages that a read receipt is about. A client with a long page names all of it; "read up to here" needs the
/// newest of each conversation only, and ids grow with time, so the highest [`RECEIPT_IDS`] are kept.
pub(crate) fn newest(ids: Vec<Number>) -> Vec<MessageId> {
    let mut ids: Vec<_> = ids.into_iter().map(|id| MessageId(id.0)).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(RECEIPT_IDS);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, Result<String, Code>) {
        let mut seen = Err(Code::Internal);
        let request = request(text, &Limits::default(), |head| {
            seen = head.kind().map(str::to_owned).map_err(|e| e.code);
            head.client_id()?;
            Ok(Command::Ping)
        });
        let refused = request.command.err().map(|error| error.code);
        (request.tag.client_id.map(|id| id.to_string()), refused.map_or(seen, Err))
    }

    #[test]
    fn the_head_of_a_frame() {
        let check = |text: &str, id: Option<&str>, kind: Result<&str, Code>| {
            assert_eq!(read(text), (id.map(str::to_owned), kind.map(str::to_owned)), "{text}");
        };
        check(r#"{"type":"x","client_id":"a"}"#, Some("a"), Ok("x"));
        check(r#"{"type":"x","client_id":null,"tempId":"a"}"#, Some("a"), Ok("x"));
        check(r#"{"temp_id":"a","type":"x"}"#, Some("a"), Ok("x"));
        check(r#"{"temp_id":"b","type":"x","client_id":"a"}"#, Some("a"), Ok("x"));
        check(r#"{"client_id":"a"}"#, Some("a"), Err(Code::InvalidFrame));
        check(r#"{"type":null}"#, None, Err(Code::InvalidFrame));
        check(r#"{"type":"x","client_id":""}"#, Some(""), Err(Code::InvalidFrame));
        check(r#"{"type":"x","client_id":7}"#, None, Err(Code::InvalidFrame));
        let long = format!(r#"{{"type":"x","client_id":"{}"}}"#, "a".repeat(65));
        check(&long, None, Err(Code::TooLong));
    }

    #[test]
    fn d1_d2_d4_d5_what_is_no_object_is_refused() {
        let check = |text: &str, code| assert_eq!(read(text), (None, Err(code)), "{text}");
        for text in ["null", "0", "[]", "\"x\"", r#"["x"]"#, r#" ["x","a","b","c"]"#] {
            check(text, Code::InvalidFrame);
        }
        for text in ["", " ", "\u{feff}{}", "{}{}", "{'type':1}", "nul", r#"{"type":"x"} 1"#] {
            check(text, Code::InvalidJson);
        }
        check(r#"{"type":"x","type":"x"}"#, Code::InvalidFrame);
        check(r#"{"type":"\ud83d"}"#, Code::InvalidFrame);
        let deep = format!(r#"{{"type":"x","y":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        check(&deep, Code::InvalidJson);
    }

    #[test]
    fn the_type_alone() {
        assert_eq!(kind(r#"{"a":[1],"type":"x"}"#).as_deref(), Some("x"));
        for none in ["", "{}", r#"["x"]"#, r#"{"type":5}"#, r#"{"type":null}"#] {
            assert_eq!(kind(none), None, "{none}");
        }
    }

    #[test]
    fn ids_are_numbers_or_canonical_texts() {
        let read = |text: &str| fields::<Number>(text).map(|n| n.0).map_err(|e| e.code);
        assert_eq!(read("7"), Ok(7));
        assert_eq!(read("\"7\""), Ok(7));
        assert_eq!(read("\"0\""), Ok(0));
        assert_eq!(read("9007199254740991"), Ok(MAX_INTEGER));
        for bad in
            ["-1", "1.0", "1e3", "\"07\"", "\"+7\"", "\"\"", "\"x\"", "9007199254740992", "[1]"]
        {
            assert_eq!(read(bad), Err(Code::InvalidFrame), "{bad}");
        }
    }

    #[test]
    fn a_long_receipt_keeps_its_newest() {
        let ids = (1..=2_000).chain([2_000, 3]).map(Number).collect();
        let kept = newest(ids);
        assert_eq!((kept.len(), kept[0], kept[499]), (500, MessageId(2_000), MessageId(1_501)));
    }

    #[test]
    fn files_are_refused_and_nothing_is_not() {
        let check = |text: &str| no_files(Some(fields::<&RawValue>(text).unwrap())).is_ok();
        assert!(no_files(None).is_ok());
        for nothing in ["null", "[]", "[ \n]"] {
            assert!(check(nothing), "{nothing}");
        }
        for files in ["[1]", "{}", "\"data:image/png;base64,AA==\"", "5", "[null]"] {
            assert!(!check(files), "{files}");
        }
    }
}
