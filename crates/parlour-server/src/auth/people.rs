//! Who may act: users as the store knows them, with what their tokens say of them.

use std::{sync::Arc, time::Duration};

use parlour_core::{
    Error, UserId,
    model::{Millis, User, UserState},
    port::{
        clock::Clock,
        store::{ProfileUpdate, Store},
    },
};

use super::{claims::Refusal, recent::Recent, refused};

/// How long what is known of a user is believed without asking again (G10: 10 s at most).
const BELIEVED: Duration = Duration::from_secs(5);

/// What a token says of its user.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Described {
    pub(super) username: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
    pub(super) email: Option<Arc<str>>,
    pub(super) avatar: Option<Arc<str>>,
}

impl Described {
    /// Whether the store knows all this of its user. An empty text, which takes back what was known, counts as news.
    fn is_known(&self, user: &User) -> bool {
        let Self { username, name, email, avatar } = self;
        let profile = &user.profile;
        let is_known = |said: &Option<Arc<str>>, known: Option<&Arc<str>>| {
            said.as_ref().is_none_or(|said| Some(said) == known)
        };
        is_known(username, Some(&profile.username))
            && is_known(name, Some(&profile.name))
            && is_known(email, user.email.as_ref())
            && is_known(avatar, profile.avatar.as_ref())
    }
}

#[derive(Clone)]
struct Known {
    described: Described,
    user: User,
    /// When he was read, in process time: he is at least as new.
    read: Duration,
}

/// Admits users.
pub(super) struct People {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    trust: bool,
    known: Recent<UserId, Known>,
}

impl People {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, trust: bool) -> Self {
        Self { store, clock, trust, known: Recent::new(BELIEVED) }
    }

    /// Admits somebody whose sign-in dates from `since`, and remembers what his token says of him.
    pub(super) async fn admit(
        &self,
        user: &UserId,
        described: Described,
        since: Millis,
    ) -> Result<(), Error> {
        let Known { user, .. } = self.look_up(user, described, self.trust).await?;
        if user.state == UserState::Banned {
            return Err(refused(Refusal::Banned));
        }
        if since < user.revoked_before {
            return Err(refused(Refusal::Revoked));
        }
        Ok(())
    }

    /// Makes sure that somebody is known for whom the host application's server acts.
    pub(super) async fn introduce(&self, user: &UserId) -> Result<(), Error> {
        self.look_up(user, Described::default(), true).await.map(drop)
    }

    /// Somebody as he was read at a moment of process time or later, if he was.
    pub(super) fn read_since(&self, user: &UserId, moment: Duration) -> Option<User> {
        let known = self.known.get(user, self.clock.monotonic())?;
        (known.read >= moment).then_some(known.user)
    }

    /// Forgets what is believed of a user, because it was just changed.
    pub(super) fn forget(&self, user: &UserId) {
        self.known.forget(|id, _| id == user);
    }

    pub(super) fn sweep(&self) {
        self.known.sweep(self.clock.monotonic());
    }

    async fn look_up(
        &self,
        user: &UserId,
        described: Described,
        create: bool,
    ) -> Result<Known, Error> {
        let now = self.clock.monotonic();
        if let Some(known) = self.known.get(user, now)
            && (described == Described::default() || known.described == described)
        {
            return Ok(known);
        }
        let began = self.known.begin();
        let found = self.store.user(user.clone()).await?;
        let found = match found {
            Some(found) if described.is_known(&found) => found,
            None if !create => return Err(refused(Refusal::UnknownUser)),
            _ => {
                let update = ProfileUpdate {
                    id: user.clone(),
                    username: described.username.clone(),
                    name: described.name.clone(),
                    email: described.email.clone(),
                    avatar: described.avatar.clone(),
                };
                self.store.save_user(update, self.clock.now()).await?
            }
        };
        let known = Known { described, user: found, read: now };
        self.known.put(began, user.clone(), known.clone(), now);
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{
        model::Profile,
        testing::{FakeClock, store_suite::Recorder},
    };

    use super::*;

    #[test]
    fn only_what_the_store_does_not_know_is_news() {
        let id = UserId::new("7").unwrap();
        let profile = Profile {
            name: "Ann".into(),
            avatar: Some("https://a.test/ann.png".into()),
            ..Profile::bare(id)
        };
        let user = User {
            profile: Arc::new(profile),
            email: None,
            state: UserState::Active,
            revoked_before: 0,
            last_seen: 0,
            created_at: 0,
        };
        let said = |username: Option<&str>, name: Option<&str>, email: Option<&str>| Described {
            username: username.map(Into::into),
            name: name.map(Into::into),
            email: email.map(Into::into),
            avatar: None,
        };
        assert!(said(None, None, None).is_known(&user));
        assert!(said(Some("7"), Some("Ann"), None).is_known(&user));
        assert!(!said(None, Some("Anna"), None).is_known(&user));
        assert!(!said(None, None, Some("ann@a.test")).is_known(&user));
        // It returns the name to its default.
        assert!(!said(None, Some(""), None).is_known(&user));
    }

    #[tokio::test]
    async fn g10_who_was_read_before_a_moment_or_changed_since_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("people.db").display());
        let options = parlour_store::OpenOptions::default();
        let store = parlour_store::open(&url, options, Arc::<Recorder>::default()).await.unwrap();
        let clock = Arc::new(FakeClock::default());
        let people = People::new(store, clock.clone(), true);
        let id = UserId::new("7").unwrap();
        let now = clock.monotonic();
        assert_eq!(people.read_since(&id, now), None);
        people.admit(&id, Described::default(), 0).await.unwrap();
        assert_eq!(people.read_since(&id, now).unwrap().profile.id, id);
        clock.advance(Duration::from_millis(1));
        people.admit(&id, Described::default(), 0).await.unwrap();
        assert_eq!(people.read_since(&id, clock.monotonic()), None, "he is only believed");
        people.forget(&id);
        assert_eq!(people.read_since(&id, now), None);
    }
}
