//! Reading JSON from hostile hands: depth, duplicates and lone surrogates, told apart from mere misfits.

use parlour_core::{Code, Error, UserId};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, Visitor},
};

/// Parses a text as `T`.
///
/// # Errors
/// [`Code::InvalidJson`] when it is no JSON, or nested deeper than `depth`; [`Code::InvalidFrame`] when it is,
/// but no `T`.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str, depth: usize) -> Result<T, Error> {
    if nesting(text) > depth {
        return Err(Error::new(Code::InvalidJson, format!("JSON is nested deeper than {depth}"))
            .with_limit("json_depth"));
    }
    fit(text)
}

/// Parses a text whose depth is known to be bounded.
///
/// # Errors
/// Those of [`parse`].
pub(crate) fn fit<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            Error::new(Code::InvalidFrame, describe(&error))
        } else {
            Error::new(Code::InvalidJson, "this is not JSON")
        }
    })
}

/// What does not fit, without repeating what was sent: serde's own text quotes values.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let fields = ["missing field `", "duplicate field `"];
    match fields.iter().find(|begin| text.starts_with(**begin)) {
        Some(_) => text.split(" at line").next().unwrap_or_default().to_owned(),
        None => format!("this does not fit at column {}", error.column()),
    }
}

/// The deepest nesting of a text, brackets in strings left out. Stops counting nothing: linear, no recursion.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Writes a value. Nothing that is written here can fail: no map has keys but texts, and a `Vec` takes everything.
pub(crate) fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "a frame could not be written: {written:?}");
}

/// A user id, read as text or as a number, and written as a number where it is a canonical decimal one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WireUserId(pub UserId);

impl Serialize for WireUserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_number() {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.serialize_str(self.0.as_str()),
        }
    }
}

/// What the API's document says of it: a number or a text.
#[cfg(feature = "schema")]
impl utoipa::PartialSchema for WireUserId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
        let either = SchemaType::from_iter([Type::Integer, Type::String]);
        let text =
            "The host application's id: a number where it is a plain decimal one, else a text.";
        ObjectBuilder::new().schema_type(either).description(Some(text)).examples([1]).into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for WireUserId {
    fn name() -> std::borrow::Cow<'static, str> {
        "UserId".into()
    }
}

impl<'de> Deserialize<'de> for WireUserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = WireUserId;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a user id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WireUserId, E> {
                UserId::new(text).map(WireUserId).map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<WireUserId, E> {
                if number > parlour_core::ids::MAX_INTEGER {
                    return Err(E::custom("a number this large is no user id"));
                }
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Either).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Sample<'a> {
        #[serde(borrow, rename = "text")]
        _text: Option<std::borrow::Cow<'a, str>>,
        user: Option<WireUserId>,
    }

    fn check(text: &str, expected: Result<(), Code>) {
        let outcome = parse::<Sample<'_>>(text, 32);
        assert_eq!(outcome.map(|_| ()).map_err(|e| e.code), expected, "{text}");
    }

    #[test]
    fn d_rows_of_hostile_json() {
        check("{}", Ok(()));
        check(r#"{"text":"a","__proto__":{"x":1}}"#, Ok(()));
        check(r#"{"text":"\ud83d\ude00"}"#, Ok(()));
        check(r#"{"text":"\ud83d"}"#, Err(Code::InvalidFrame));
        check(r#"{"text":"a","text":"b"}"#, Err(Code::InvalidFrame));
        check(r#"{"text":5}"#, Err(Code::InvalidFrame));
        for broken in ["", " ", "{", "{}{}", "\u{feff}{}", "nul", "{'a':1}", "{\"a\":1,}"] {
            check(broken, Err(Code::InvalidJson));
        }
        for misfit in ["null", "0", "\"x\""] {
            check(misfit, Err(Code::InvalidFrame));
        }
        let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        check(&deep, Err(Code::InvalidJson));
        check(&format!(r#"{{"text":"{}"}}"#, "[".repeat(10_000)), Ok(()));
    }

    #[test]
    fn user_ids_are_written_as_numbers_where_they_are_canonical() {
        let written =
            |id: &str| serde_json::to_string(&WireUserId(UserId::new(id).unwrap())).unwrap();
        assert_eq!(written("7"), "7");
        assert_eq!(written("9007199254740991"), "9007199254740991");
        for text in ["07", "-7", "9007199254740992", "alice"] {
            assert_eq!(written(text), format!("\"{text}\""));
        }
    }

    #[test]
    fn user_ids_are_read_as_text_and_as_numbers() {
        let user =
            |text: &str| parse::<Sample<'_>>(text, 32).map(|s| s.user.map(|u| u.0.to_string()));
        assert_eq!(user(r#"{"user":7}"#).unwrap(), Some("7".to_owned()));
        assert_eq!(user(r#"{"user":"7"}"#).unwrap(), Some("7".to_owned()));
        for bad in
            [r#"{"user":-7}"#, r#"{"user":1.5}"#, r#"{"user":""}"#, r#"{"user":9007199254740993}"#]
        {
            assert_eq!(user(bad).unwrap_err().code, Code::InvalidFrame, "{bad}");
        }
    }
}
