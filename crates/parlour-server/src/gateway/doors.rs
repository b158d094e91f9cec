//! Which dialect a path speaks, what it is about, and how it says no.

use parlour_core::{Code, ConversationId, Error, ids::MAX_INTEGER};
use parlour_wire::{DIALECTS, Dialect, native::Native};

use super::close::Close;
use crate::{
    auth::Surface,
    config::{ConversationDialect, DialectsSection, UserDialect},
    http::error::Problem,
};

/// What is behind a path.
#[derive(Clone, Copy)]
pub(super) struct Door {
    pub(super) surface: Surface,
    pub(super) dialect: &'static dyn Dialect,
    /// What the first frame may make of it instead.
    pub(super) alternative: Option<&'static dyn Dialect>,
    /// The conversation that the socket is about, as the path has it.
    pub(super) scope: Option<Option<ConversationId>>,
}

impl Door {
    /// `/api/v1/ws`.
    pub(super) fn native() -> Self {
        Self { surface: Surface::NativeSocket, dialect: &Native, alternative: None, scope: None }
    }

    /// `/ws/chat/`.
    pub(super) fn user(chosen: &DialectsSection, query: &str) -> Result<Self, Problem> {
        let (default, alternative) = match chosen.user {
            UserDialect::Inbox => ("inbox", None),
            UserDialect::Direct => ("direct", None),
            UserDialect::Auto => ("inbox", Some("direct")),
        };
        Self::of_seed(["inbox", "direct"], default, alternative, query, None)
    }

    /// `/ws/chat/{conversation_id}/`. An id that is no number is as one that is not there.
    pub(super) fn conversation(
        chosen: &DialectsSection,
        query: &str,
        id: &str,
    ) -> Result<Self, Problem> {
        let (default, alternative) = match chosen.conversation {
            ConversationDialect::Room => ("room", None),
            ConversationDialect::Plain => ("plain", None),
            ConversationDialect::Auto => ("room", Some("plain")),
        };
        let canonical = id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0');
        let number = id.parse().ok().filter(|id| canonical && *id <= MAX_INTEGER);
        let scope = Some(number.map(ConversationId));
        Self::of_seed(["room", "plain"], default, alternative, query, scope)
    }

    fn of_seed(
        spoken: [&'static str; 2],
        default: &'static str,
        alternative: Option<&'static str>,
        query: &str,
        scope: Option<Option<ConversationId>>,
    ) -> Result<Self, Problem> {
        let wanted = parameter(query, "dialect");
        let (name, alternative) = match wanted {
            Some(wanted) if spoken.contains(&wanted) => (wanted, None),
            Some(_) => {
                let text = format!("`dialect` is {} or {} here", spoken[0], spoken[1]);
                return Err(Error::new(Code::InvalidFrame, text).into());
            }
            None => (default, alternative),
        };
        Ok(Self {
            surface: Surface::DialectSocket,
            dialect: find(name)?,
            alternative: alternative.map(find).transpose()?,
            scope,
        })
    }

    /// Whether a refusal is given after the socket is accepted, as a close code: clients of these dialects double
    /// their sockets when the upgrade itself is refused.
    pub(super) fn refuses_inside(&self) -> bool {
        matches!(self.dialect.name(), "direct" | "plain")
    }
}

/// What a query says for a name, as it stands there; the first where it says it twice.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn find(name: &str) -> Result<&'static dyn Dialect, Error> {
    let dialect = DIALECTS.iter().find(|dialect| dialect.name() == name).copied();
    dialect.ok_or_else(|| Error::new(Code::Internal, "a dialect is not in the table"))
}

/// The close code for a refusal; `None` when the request itself is broken, which is told as HTTP.
pub(super) fn close_code(refusal: &Error) -> Option<Close> {
    match refusal.code {
        Code::NotAuthenticated => Some(Close::NOT_AUTHENTICATED),
        Code::Forbidden | Code::NotFound => Some(Close::FORBIDDEN),
        Code::RateLimited => Some(Close::too_many(refusal.retry_after.unwrap_or_default())),
        Code::Unavailable => Some(Close::restarting(std::time::Duration::from_secs(1))),
        _ => None,
    }
}
