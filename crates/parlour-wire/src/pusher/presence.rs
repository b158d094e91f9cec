//! Who is on a presence channel, and who is signed in: what `channel_data` and `user_data` say.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{decode::object, error::Refusal, limits::PusherLimits};

/// What a member is said to be where nothing is said: some clients need an object there.
const NOTHING: &str = "{}";

/// A member of a presence channel. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Who; a number that the application gave is its decimal text.
    pub user_id: Arc<str>,
    /// What the application tells about him: JSON as it came, `{}` where it tells nothing.
    pub user_info: Arc<str>,
}

/// A user who is signed in on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedInUser {
    /// Who.
    pub id: Arc<str>,
    /// What the application tells about him: JSON as it came, `{}` where it tells nothing.
    pub user_info: Arc<str>,
    /// Whose coming and going he is told: the first `limits.watchlist` ids of the list, each once.
    pub watchlist: Vec<Arc<str>>,
    /// Whether the list was longer, which he is told with code 4302.
    pub watchlist_cut: bool,
}

impl SignedInUser {
    /// As a member of a presence channel that he joins without `channel_data`.
    #[must_use]
    pub fn member(&self) -> Member {
        Member { user_id: self.id.clone(), user_info: self.user_info.clone() }
    }
}

#[derive(Deserialize)]
struct ChannelData<'a> {
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    user_info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct UserData<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    user_info: Option<&'a RawValue>,
    #[serde(borrow)]
    watchlist: Option<Vec<&'a RawValue>>,
}

/// Reads the `channel_data` of a subscribe, whose signature has been checked.
///
/// # Errors
/// [`Refusal::InvalidChannelData`] when it is no object, has no `user_id` (a text or a whole number), or one of
/// the two is larger than its limit.
pub fn channel_data(text: &str, limits: &PusherLimits) -> Result<Member, Refusal> {
    let data: ChannelData<'_> =
        object(text, limits).map_err(|_| Refusal::InvalidChannelData("it is no JSON object"))?;
    let id = data.user_id.and_then(|raw| text_id(raw).or_else(|| number_id(raw)));
    let id = id.filter(|id| is_id(id, limits));
    let user_id = id.ok_or(Refusal::InvalidChannelData(
        "user_id must be a text or a whole number within its limit",
    ))?;
    let user_info = info(data.user_info, limits)
        .ok_or(Refusal::InvalidChannelData("user_info is larger than its limit"))?;
    Ok(Member { user_id: user_id.into(), user_info })
}

/// Reads the `user_data` of a sign-in, whose signature has been checked.
///
/// # Errors
/// [`Refusal::InvalidUserData`] when it is no object, `id` is no text or empty, something is larger than its
/// limit, or the watchlist is no list of ids. A list that is too long is no error.
pub fn user_data(text: &str, limits: &PusherLimits) -> Result<SignedInUser, Refusal> {
    let data: UserData<'_> =
        object(text, limits).map_err(|_| Refusal::InvalidUserData("it is no JSON object"))?;
    let id = data.id.and_then(text_id).filter(|id| is_id(id, limits));
    let id = id.ok_or(Refusal::InvalidUserData("id must be a text within its limit"))?;
    let user_info = info(data.user_info, limits)
        .ok_or(Refusal::InvalidUserData("user_info is larger than its limit"))?;
    let listed = data.watchlist.unwrap_or_default();
    let watchlist_cut = listed.len() > limits.watchlist;
    let mut watchlist: Vec<Arc<str>> = Vec::with_capacity(listed.len().min(limits.watchlist));
    for raw in listed.into_iter().take(limits.watchlist) {
        let id = text_id(raw).or_else(|| number_id(raw)).filter(|id| is_id(id, limits));
        let id = id.ok_or(Refusal::InvalidUserData("watchlist must be a list of ids"))?;
        if !watchlist.iter().any(|known| **known == *id) {
            watchlist.push(id.into());
        }
    }
    Ok(SignedInUser { id: id.into(), user_info, watchlist, watchlist_cut })
}

fn text_id(raw: &RawValue) -> Option<String> {
    if raw.get().starts_with('"') { serde_json::from_str(raw.get()).ok() } else { None }
}

/// A whole number as it is written; `1.0` and `1e3` have no one text that every client would make of them.
fn number_id(raw: &RawValue) -> Option<String> {
    let digits = raw.get().strip_prefix('-').unwrap_or(raw.get());
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| raw.get().to_owned())
}

fn is_id(id: &str, limits: &PusherLimits) -> bool {
    !id.is_empty() && id.chars().count() <= limits.user_id && !id.chars().any(char::is_control)
}

fn info(raw: Option<&RawValue>, limits: &PusherLimits) -> Option<Arc<str>> {
    let json = raw.map_or(NOTHING, RawValue::get);
    (json.len() <= limits.user_info).then(|| json.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &str) -> Option<(String, String)> {
        let member = channel_data(text, &PusherLimits::default()).ok()?;
        Some((member.user_id.to_string(), member.user_info.to_string()))
    }

    fn some(id: &str, info: &str) -> Option<(String, String)> {
        Some((id.into(), info.into()))
    }

    #[test]
    fn ids_become_texts_and_infos_stay_as_they_are() {
        assert_eq!(member(r#"{"user_id":"1"}"#), some("1", "{}"));
        assert_eq!(member(r#"{"user_id":10,"user_info":null}"#), some("10", "{}"));
        assert_eq!(member(r#"{"user_id":-3}"#), some("-3", "{}"));
        assert_eq!(
            member(r#"{"user_id":"j\u00fcrgen","user_info":{"name" : "J\u00fcrgen"},"x":1}"#),
            some("jürgen", r#"{"name" : "J\u00fcrgen"}"#)
        );
        assert_eq!(member(r#"{"user_id":"1","user_info":[1]}"#), some("1", "[1]"));
        let longest = "x".repeat(128);
        assert_eq!(member(&format!(r#"{{"user_id":"{longest}"}}"#)), some(&longest, "{}"));
        let info = format!("\"{}\"", "x".repeat(1022));
        assert_eq!(member(&format!(r#"{{"user_id":1,"user_info":{info}}}"#)), some("1", &info));
    }

    #[test]
    fn channel_data_that_is_none() {
        for bad in [
            "",
            "x",
            "[]",
            "null",
            "{}",
            "[1,{}]",
            r#"{"user_id":null}"#,
            r#"{"user_id":""}"#,
            r#"{"user_id":1.5}"#,
            r#"{"user_id":1e3}"#,
            r#"{"user_id":{}}"#,
            r#"{"user_id":true}"#,
            r#"{"user_id":"a\u0000"}"#,
            r#"{"user_id":"\ud83d"}"#,
            r#"{"user_id":1,"user_id":2}"#,
            &format!(r#"{{"user_id":"{}"}}"#, "x".repeat(129)),
            &format!(r#"{{"user_id":{}}}"#, "1".repeat(129)),
            &format!(r#"{{"user_id":1,"user_info":"{}"}}"#, "x".repeat(1023)),
            &format!(r#"{{"user_id":1,"user_info":{}{}}}"#, "[".repeat(400), "]".repeat(400)),
        ] {
            assert_eq!(member(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_signs_in() {
        let limits = PusherLimits::default();
        let user =
            user_data(r#"{"id":"7","user_info":{"name":"N"},"watchlist":["1",2,"1"]}"#, &limits)
                .unwrap();
        assert_eq!((&*user.id, &*user.user_info), ("7", r#"{"name":"N"}"#));
        assert_eq!(user.watchlist, ["1".into(), "2".into()] as [Arc<str>; 2]);
        assert!(!user.watchlist_cut);
        assert_eq!(user.member().user_id, "7".into());

        let ids: Vec<String> = (0..101).map(|n| format!("\"{n}\"")).collect();
        let long = format!(r#"{{"id":"7","watchlist":[{}]}}"#, ids.join(","));
        let user = user_data(&long, &limits).unwrap();
        assert_eq!((user.watchlist.len(), user.watchlist_cut), (100, true));
        assert_eq!(user.watchlist.last().unwrap(), &"99".into());
        let full = format!(r#"{{"id":"7","watchlist":[{}]}}"#, ids[..100].join(","));
        assert!(!user_data(&full, &limits).unwrap().watchlist_cut);

        for bad in [
            "",
            "[]",
            "{}",
            r#"{"id":7}"#,
            r#"{"id":""}"#,
            r#"{"id":null}"#,
            r#"{"id":"7","watchlist":"x"}"#,
            r#"{"id":"7","watchlist":[{}]}"#,
            &format!(r#"{{"id":"{}"}}"#, "x".repeat(129)),
        ] {
            assert!(user_data(bad, &limits).is_err(), "{bad}");
        }
    }
}
