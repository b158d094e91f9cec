//! What an application's own auth endpoints are asked and answer: `/broadcasting/auth` and its like.

use serde::{Deserialize, Serialize};

use super::{
    channel::ChannelName, decode::object, error::ApiError, handshake::SocketId,
    limits::PusherLimits,
};

/// A client asks for a signature, to subscribe or to sign in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthRequest {
    /// The connection that will use it. Checked, so that it cannot turn the signature into one for something else.
    pub socket: SocketId,
    /// The channel; none when it wants to sign in.
    pub channel: Option<ChannelName>,
}

#[derive(Deserialize, Default)]
struct Fields {
    socket_id: Option<String>,
    channel_name: Option<String>,
}

impl AuthRequest {
    /// Reads a JSON body.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] when it is no object, has no `socket_id`, or names what no connection or channel
    /// can be called.
    pub fn from_json(body: &[u8], limits: &PusherLimits) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body);
        let text = text.map_err(|_| ApiError::BadRequest("The body is not UTF-8"))?;
        let fields = object(text, limits)
            .map_err(|_| ApiError::BadRequest("The body is not the JSON of an auth request"))?;
        Self::checked(fields, limits)
    }

    /// Reads a form, as a body or as a query. Of a field that is there twice the first counts.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] as [`AuthRequest::from_json`]; [`ApiError::TooMany`] past
    /// `limits.query_parameters` fields.
    pub fn from_form(form: &[u8], limits: &PusherLimits) -> Result<Self, ApiError> {
        let mut fields = Fields::default();
        for (number, (name, value)) in form_urlencoded::parse(form).enumerate() {
            if number == limits.query_parameters {
                let most = limits.query_parameters;
                return Err(ApiError::TooMany { what: "fields", most });
            }
            match &*name {
                "socket_id" => _ = fields.socket_id.get_or_insert_with(|| value.into_owned()),
                "channel_name" => _ = fields.channel_name.get_or_insert_with(|| value.into_owned()),
                _ => {}
            }
        }
        Self::checked(fields, limits)
    }

    fn checked(fields: Fields, limits: &PusherLimits) -> Result<Self, ApiError> {
        let socket = fields.socket_id.unwrap_or_default();
        let socket = socket
            .parse()
            .map_err(|_| ApiError::BadRequest("socket_id is missing or malformed"))?;
        let channel = fields.channel_name.map(|name| ChannelName::new(&name, limits)).transpose();
        let channel = channel.map_err(|_| ApiError::BadRequest("channel_name is malformed"))?;
        Ok(Self { socket, channel })
    }
}

/// The answer, which the client puts into its subscribe or sign-in as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuthAnswer {
    /// The key and the signature.
    pub auth: String,
    /// Who joins: JSON, on presence channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_data: Option<String>,
    /// Who signs in: JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// The `channel_data` of a member. `user_info` is JSON.
#[must_use]
pub fn channel_data(user_id: &str, user_info: &serde_json::Value) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        user_id: &'a str,
        user_info: &'a serde_json::Value,
    }
    serde_json::to_string(&Data { user_id, user_info }).unwrap_or_default()
}

/// The `user_data` of somebody who signs in. `user_info` is JSON; `watchlist` are the ids of whom he is told.
#[must_use]
pub fn user_data(id: &str, user_info: &serde_json::Value, watchlist: &[&str]) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        id: &'a str,
        user_info: &'a serde_json::Value,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        watchlist: &'a [&'a str],
    }
    serde_json::to_string(&Data { id, user_info, watchlist }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_in_both_forms() {
        let limits = PusherLimits::default();
        let expected = AuthRequest {
            socket: SocketId::new(12, 34),
            channel: Some(ChannelName::new("private-user.a@b", &limits).unwrap()),
        };
        let form = b"socket_id=12.34&channel_name=private-user.a%40b&x=y";
        assert_eq!(AuthRequest::from_form(form, &limits), Ok(expected.clone()));
        let json = br#"{"channel_name":"private-user.a@b","socket_id":"12.34"}"#;
        assert_eq!(AuthRequest::from_json(json, &limits), Ok(expected));
        let user = AuthRequest { socket: SocketId::new(12, 34), channel: None };
        assert_eq!(AuthRequest::from_form(b"socket_id=12.34", &limits), Ok(user));
    }

    #[test]
    fn m1_requests_that_would_sign_something_else() {
        let limits = PusherLimits::default();
        for form in [
            "",
            "channel_name=private-x",
            "socket_id=&channel_name=private-x",
            "socket_id=1.1%3Aprivate-x&channel_name=y",
            "socket_id=1.1&channel_name=private-x%3A%7B%7D",
            "socket_id=1.1&channel_name=",
            "socket_id=1.1%0A&channel_name=x",
            &format!("{}socket_id=1.1", "a=b&".repeat(32)),
        ] {
            let outcome = AuthRequest::from_form(form.as_bytes(), &limits);
            assert_eq!(outcome.map_err(|error| error.status()), Err(400), "{form}");
        }
        for json in [
            "",
            "[]",
            "{}",
            r#"["1.1","x"]"#,
            r#"{"socket_id":1.1}"#,
            r#"{"socket_id":"1.1:x","channel_name":"private-x"}"#,
        ] {
            let outcome = AuthRequest::from_json(json.as_bytes(), &limits);
            assert!(matches!(outcome, Err(ApiError::BadRequest(_))), "{json}: {outcome:?}");
        }
        assert!(AuthRequest::from_json(b"\xff", &limits).is_err());
    }

    #[test]
    fn answers() {
        let answer = |channel_data, user_data| {
            let answer = AuthAnswer { auth: "k:ab".into(), channel_data, user_data };
            serde_json::to_string(&answer).unwrap()
        };
        assert_eq!(answer(None, None), r#"{"auth":"k:ab"}"#);
        let data = channel_data("1", &json!({"name": "A"}));
        assert_eq!(data, r#"{"user_id":"1","user_info":{"name":"A"}}"#);
        assert_eq!(
            answer(Some(data), None),
            r#"{"auth":"k:ab","channel_data":"{\"user_id\":\"1\",\"user_info\":{\"name\":\"A\"}}"}"#
        );
        assert_eq!(user_data("1", &json!({}), &[]), r#"{"id":"1","user_info":{}}"#);
        assert_eq!(
            user_data("1", &json!({}), &["2"]),
            r#"{"id":"1","user_info":{},"watchlist":["2"]}"#
        );
    }
}
