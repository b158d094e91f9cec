//! The `data` of an event, passed on as it came.

use std::{borrow::Cow, sync::Arc};

use serde_json::value::RawValue;

/// JSON that is passed on without being read: a text with whatever the publisher put into it, or (client events
/// only) any other value. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Payload(Arc<str>);

impl Payload {
    /// A text: the ordinary form, which holds JSON of its own in most cases.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(quoted(text).into())
    }

    /// A value exactly as it was received.
    #[must_use]
    pub fn raw(value: &RawValue) -> Self {
        Self(value.get().into())
    }

    /// What stands for no data: some clients fail where the key is missing.
    #[must_use]
    pub fn empty() -> Self {
        Self::text("{}")
    }

    /// The JSON, quotation marks of a text included.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The decoded text where it is one, else the JSON: what webhooks and the HTTP API show.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        decoded(&self.0).map_or(Cow::Borrowed(&*self.0), |text| Cow::Owned(text.into_owned()))
    }

    /// Bytes of [`Payload::to_text`], which limits count.
    #[must_use]
    pub fn size(&self) -> usize {
        size(&self.0)
    }
}

/// Bytes of a value: of a text once decoded, else of its JSON.
pub(super) fn size(json: &str) -> usize {
    decoded(json).map_or(json.len(), |text| text.len())
}

/// A text in quotation marks. Writing a text as JSON cannot fail.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn decoded(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') {
        return None;
    }
    // Without an escape the text is what stands between the quotation marks.
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains(['\\', '"']) => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_what_goes() {
        let escaped = r#""{\"a\":\"\u00e9\/\"}""#;
        let raw: &RawValue = serde_json::from_str(escaped).unwrap();
        let payload = Payload::raw(raw);
        assert_eq!(payload.as_json(), escaped);
        assert_eq!(payload.to_text(), r#"{"a":"é/"}"#);
        assert_eq!(payload.size(), r#"{"a":"é/"}"#.len());

        let object: &RawValue = serde_json::from_str("{ \"a\" : 1 }").unwrap();
        assert_eq!(Payload::raw(object).as_json(), "{ \"a\" : 1 }");
        assert_eq!(Payload::raw(object).to_text(), "{ \"a\" : 1 }");
        assert_eq!(Payload::text("a\"b").as_json(), r#""a\"b""#);
        assert_eq!(Payload::text("plain").to_text(), "plain");
        assert_eq!(Payload::empty().as_json(), "\"{}\"");
    }
}
