//! Who may do what: one pure function that every command passes.
//!
//! A store collects the [`Facts`] in the same transaction as the step itself and asks [`decide`], so that a
//! removal or a closing that was acknowledged before can never be overtaken (guarantee G10).

use crate::{
    command::Authority,
    error::{Code, Error, Result},
    model::{ConversationKind, ConversationState, Role},
};

/// What somebody wants to do in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Read it, mark it read, see who is in it.
    Read,
    /// Say something.
    Send,
    /// Say something as the system.
    SendAsSystem,
    /// Show that one is writing.
    Type,
    /// Change a message; `own` tells whose.
    Edit {
        /// It is the actor's own.
        own: bool,
    },
    /// Take a message back; `own` tells whose.
    Delete {
        /// It is the actor's own.
        own: bool,
    },
    /// Add a participant.
    Add,
    /// Leave.
    Leave,
    /// Remove somebody of that role.
    Remove(Role),
    /// Make somebody of role `from` a `to`.
    SetRole {
        /// What he is.
        from: Role,
        /// What he shall be.
        to: Role,
    },
    /// Change title or metadata.
    ChangeSettings,
    /// Open, restrict or close.
    ChangeState,
}

/// Everything that a decision depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// With what right the actor acts.
    pub authority: Authority,
    /// The actor's role; `None` when he is no participant.
    pub role: Option<Role>,
    /// Direct or group.
    pub kind: ConversationKind,
    /// Open, read-only or closed.
    pub state: ConversationState,
    /// In a direct conversation: one of the two has blocked the other.
    pub blocked: bool,
}

/// Decides whether the action is allowed.
///
/// # Errors
/// [`Code::NotFound`] to those who may not know of the conversation, [`Code::Forbidden`] or [`Code::Blocked`]
/// to those who may.
pub fn decide(action: Action, facts: &Facts) -> Result<()> {
    let server = facts.authority == Authority::Server;
    let Some(role) = facts.role.or(server.then_some(Role::Member)) else {
        return Err(Error::not_found());
    };
    if facts.role.is_none() && needs_participation(action) {
        return Err(Error::new(Code::Forbidden, "this user is not in the conversation"));
    }
    let manages = server || (facts.kind == ConversationKind::Group && role >= Role::Admin);
    let allowed = match action {
        Action::Read | Action::Leave => true,
        Action::SendAsSystem => server,
        Action::Send | Action::Type => may_write(facts, manages)?,
        Action::Edit { own } => own && may_write(facts, manages)?,
        Action::Delete { own } => own || manages,
        Action::Add => manages && facts.kind == ConversationKind::Group,
        Action::Remove(target) => {
            facts.kind == ConversationKind::Group && (server || (manages && target < role))
        }
        Action::SetRole { from, to } => {
            facts.kind == ConversationKind::Group
                && (server || (role == Role::Owner && from != Role::Owner && from != to))
        }
        Action::ChangeSettings | Action::ChangeState => manages,
    };
    let leaving_direct = action == Action::Leave && facts.kind == ConversationKind::Direct;
    if allowed && !leaving_direct { Ok(()) } else { Err(forbidden()) }
}

/// What only somebody who is in the conversation can do, even by a server's hand.
const fn needs_participation(action: Action) -> bool {
    matches!(action, Action::Send | Action::Type | Action::Leave | Action::Edit { .. })
}

/// Whether the state and the blocks let the actor write.
fn may_write(facts: &Facts, manages: bool) -> Result<bool> {
    if facts.blocked {
        return Err(Error::new(Code::Blocked, "one of you has blocked the other"));
    }
    match facts.state {
        ConversationState::Open => Ok(true),
        ConversationState::ReadOnly if manages => Ok(true),
        ConversationState::ReadOnly => {
            Err(Error::new(Code::Forbidden, "this conversation is read-only"))
        }
        ConversationState::Closed => {
            Err(Error::new(Code::Forbidden, "this conversation is closed"))
        }
    }
}

fn forbidden() -> Error {
    Error::new(Code::Forbidden, "you may not do this here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Authority::{Server, User};
    use ConversationKind::{Direct, Group};
    use ConversationState::{Closed, Open, ReadOnly};

    fn check(
        action: Action,
        (authority, role, kind, state, blocked): (
            Authority,
            Option<Role>,
            ConversationKind,
            ConversationState,
            bool,
        ),
        expected: Result<(), Code>,
    ) {
        let facts = Facts { authority, role, kind, state, blocked };
        assert_eq!(
            decide(action, &facts).map_err(|e| e.code),
            expected,
            "{action:?} with {facts:?}"
        );
    }

    const MEMBER: Option<Role> = Some(Role::Member);
    const ADMIN: Option<Role> = Some(Role::Admin);
    const OWNER: Option<Role> = Some(Role::Owner);

    #[test]
    fn g11_a_stranger_learns_nothing_from_any_action() {
        let actions = [
            Action::Read,
            Action::Send,
            Action::SendAsSystem,
            Action::Type,
            Action::Edit { own: true },
            Action::Delete { own: true },
            Action::Delete { own: false },
            Action::Add,
            Action::Leave,
            Action::Remove(Role::Member),
            Action::SetRole { from: Role::Member, to: Role::Admin },
            Action::ChangeSettings,
            Action::ChangeState,
        ];
        for action in actions {
            for kind in [Direct, Group] {
                for state in [Open, ReadOnly, Closed] {
                    for blocked in [false, true] {
                        check(action, (User, None, kind, state, blocked), Err(Code::NotFound));
                    }
                }
            }
        }
    }

    #[test]
    fn writing() {
        for (action, own) in
            [(Action::Send, true), (Action::Type, true), (Action::Edit { own: true }, true)]
        {
            assert!(own);
            check(action, (User, MEMBER, Direct, Open, false), Ok(()));
            check(action, (User, MEMBER, Direct, Open, true), Err(Code::Blocked));
            check(action, (User, MEMBER, Direct, ReadOnly, false), Err(Code::Forbidden));
            check(action, (User, MEMBER, Group, ReadOnly, false), Err(Code::Forbidden));
            check(action, (User, ADMIN, Group, ReadOnly, false), Ok(()));
            check(action, (User, OWNER, Group, Closed, false), Err(Code::Forbidden));
            check(action, (Server, MEMBER, Direct, ReadOnly, false), Ok(()));
            check(action, (Server, None, Group, Open, false), Err(Code::Forbidden));
        }
        check(Action::Edit { own: false }, (User, OWNER, Group, Open, false), Err(Code::Forbidden));
        check(Action::SendAsSystem, (User, OWNER, Group, Open, false), Err(Code::Forbidden));
        check(Action::SendAsSystem, (Server, None, Group, Closed, false), Ok(()));
    }

    #[test]
    fn taking_back() {
        check(Action::Delete { own: true }, (User, MEMBER, Direct, Closed, true), Ok(()));
        check(
            Action::Delete { own: false },
            (User, MEMBER, Group, Open, false),
            Err(Code::Forbidden),
        );
        check(Action::Delete { own: false }, (User, ADMIN, Group, Open, false), Ok(()));
        check(
            Action::Delete { own: false },
            (User, OWNER, Direct, Open, false),
            Err(Code::Forbidden),
        );
    }

    #[test]
    fn managing() {
        check(Action::Add, (User, MEMBER, Group, Open, false), Err(Code::Forbidden));
        check(Action::Add, (User, ADMIN, Group, Open, false), Ok(()));
        check(Action::Add, (Server, None, Direct, Open, false), Err(Code::Forbidden));
        check(Action::Remove(Role::Member), (User, ADMIN, Group, Open, false), Ok(()));
        check(Action::Remove(Role::Admin), (User, ADMIN, Group, Open, false), Err(Code::Forbidden));
        check(Action::Remove(Role::Owner), (User, ADMIN, Group, Open, false), Err(Code::Forbidden));
        check(Action::Remove(Role::Admin), (User, OWNER, Group, Open, false), Ok(()));
        check(Action::Leave, (User, OWNER, Group, Open, false), Ok(()));
        check(Action::Leave, (User, MEMBER, Direct, Open, false), Err(Code::Forbidden));
        let promote = Action::SetRole { from: Role::Member, to: Role::Owner };
        check(promote, (User, ADMIN, Group, Open, false), Err(Code::Forbidden));
        check(promote, (User, OWNER, Group, Open, false), Ok(()));
        check(Action::ChangeState, (User, MEMBER, Direct, Open, false), Err(Code::Forbidden));
        check(Action::ChangeState, (Server, None, Direct, Open, false), Ok(()));
        check(Action::ChangeSettings, (User, ADMIN, Group, Open, false), Ok(()));
    }
}
