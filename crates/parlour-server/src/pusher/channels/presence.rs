//! Who is on a presence channel.

use std::sync::Arc;

use parlour_wire::pusher::Member;

/// The members of a channel in the order in which they came, each with the number of his connections.
#[derive(Default)]
pub(super) struct Roster {
    members: Vec<(Member, usize)>,
}

impl Roster {
    /// Whether a user is there.
    pub(super) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|(member, _)| *member.user_id == *user)
    }

    /// One more connection of a user; whether it is his first. What he was said to be with his first one stays.
    pub(super) fn add(&mut self, member: &Member) -> bool {
        match self.members.iter_mut().find(|(known, _)| known.user_id == member.user_id) {
            Some((_, connections)) => {
                *connections += 1;
                false
            }
            None => {
                self.members.push((member.clone(), 1));
                true
            }
        }
    }

    /// One connection less of a user; whether it was his last.
    pub(super) fn remove(&mut self, user: &str) -> bool {
        let Some(index) = self.members.iter().position(|(member, _)| *member.user_id == *user)
        else {
            return false;
        };
        if let Some((_, connections)) = self.members.get_mut(index)
            && *connections > 1
        {
            *connections -= 1;
            return false;
        }
        self.members.remove(index);
        true
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Arc<str>> {
        self.members.iter().map(|(member, _)| member.user_id.clone())
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(member, _)| member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_there_from_his_first_connection_to_his_last() {
        let member = |id: &str, info: &str| Member { user_id: id.into(), user_info: info.into() };
        let mut roster = Roster::default();
        assert!(roster.add(&member("1", "{}")));
        assert!(!roster.add(&member("1", r#"{"other":1}"#)));
        assert!(roster.add(&member("2", "{}")));
        assert_eq!((roster.members().count(), roster.has("2"), roster.has("3")), (2, true, false));
        assert_eq!(roster.members().next(), Some(&member("1", "{}")));
        assert!(!roster.remove("1") && !roster.remove("3"));
        assert!(roster.remove("1"));
        assert_eq!(roster.ids().collect::<Vec<_>>(), [Arc::<str>::from("2")]);
    }
}
