//! Fields of a line as databases write them: ids as texts or numbers, switches as 0 and 1, times.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use parlour_core::{UserId, model::Millis};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, Visitor},
};

/// An id of the host application: a text, or a whole number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HostId(pub(super) Arc<str>);

impl HostId {
    /// Longest id, in bytes.
    const MOST: usize = 128;
}

impl<'de> Deserialize<'de> for HostId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = Arc<str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a text or a whole number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Arc<str>, E> {
                let bad = text.is_empty()
                    || text.len() > HostId::MOST
                    || text.chars().any(parlour_core::ids::is_forbidden_in_names);
                if bad { Err(E::custom("this is no valid id")) } else { Ok(text.into()) }
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Arc<str>, E> {
                Ok(number.to_string().into())
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Arc<str>, E> {
                Ok(number.to_string().into())
            }
        }
        deserializer.deserialize_any(Id).map(Self)
    }
}

/// The same, of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HostUserId(pub(super) UserId);

impl<'de> Deserialize<'de> for HostUserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = HostId::deserialize(deserializer)?;
        UserId::new(&id.0).map(Self).map_err(D::Error::custom)
    }
}

/// A switch: `true` and `false`, or 1 and 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Switch;
        impl Visitor<'_> for Switch {
            type Value = bool;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false, 1 or 0")
            }

            fn visit_bool<E: serde::de::Error>(self, is_on: bool) -> Result<bool, E> {
                Ok(is_on)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<bool, E> {
                match number {
                    0 => Ok(false),
                    1 => Ok(true),
                    other => Err(E::invalid_value(serde::de::Unexpected::Unsigned(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Switch).map(Self)
    }
}

/// A moment in RFC 3339, with a time zone; to the microsecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Time {
    pub(super) micros: i64,
}

impl Time {
    /// To the millisecond, which is what is kept.
    pub(super) const fn millis(self) -> Millis {
        self.micros.div_euclid(1_000)
    }

    pub(super) const fn of(millis: Millis) -> Self {
        Self { micros: millis.saturating_mul(1_000) }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(|_| {
            let example = "2025-01-15T15:45:00.123Z";
            D::Error::custom(format!("`{text}` is no time with a zone, as in {example}"))
        })?;
        Ok(Self { micros: time.as_microsecond() })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_microsecond(self.micros).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

/// Bytes in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let mut bytes = [0; N];
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return Err(D::Error::custom(format!("{} hexadecimal digits are expected", 2 * N)));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
            *byte = u8::from_str_radix(pair, 16).map_err(D::Error::custom)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<i64> {
        serde_json::from_str::<Time>(&format!("\"{text}\"")).ok().map(|time| time.micros)
    }

    #[test]
    fn times_as_databases_write_them() {
        let expected = Some(1_736_955_900_123_456);
        for text in [
            "2025-01-15T15:45:00.123456Z",
            "2025-01-15 15:45:00.123456+00",
            "2025-01-15T16:45:00.123456+01:00",
            "2025-01-15 15:45:00.123456Z",
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
        for text in ["2025-01-15T15:45:00", "0000-00-00 00:00:00", "yesterday", "1736955900"] {
            assert_eq!(time(text), None, "{text}");
        }
        let text = serde_json::to_string(&Time::of(1_736_955_900_120)).unwrap();
        assert_eq!(text, r#""2025-01-15T15:45:00.120Z""#);
    }

    #[test]
    fn ids_and_switches_as_databases_write_them() {
        let id = |text: &str| serde_json::from_str::<HostId>(text).ok().map(|id| id.0.to_string());
        assert_eq!(id("7"), Some("7".to_owned()));
        assert_eq!(id("\"a-b\""), Some("a-b".to_owned()));
        for text in ["1.5", "\"\"", "null", "\"a\\u0000\"", "[1]"] {
            assert_eq!(id(text), None, "{text}");
        }
        let flag = |text: &str| serde_json::from_str::<Flag>(text).ok().map(|flag| flag.0);
        assert_eq!([flag("1"), flag("false"), flag("2")], [Some(true), Some(false), None]);
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let text = serde_json::to_string(&Hex([0, 0xab, 9])).unwrap();
        assert_eq!(text, "\"00ab09\"");
        assert_eq!(serde_json::from_str::<Hex<3>>(&text).unwrap(), Hex([0, 0xab, 9]));
        assert!(serde_json::from_str::<Hex<3>>("\"00ab0\"").is_err());
        assert!(serde_json::from_str::<Hex<3>>("\"00ab0é\"").is_err());
    }
}
