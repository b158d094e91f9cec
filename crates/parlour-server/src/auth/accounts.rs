//! Built-in accounts and what they do with their sign-in: log in, stay in, leave, be thrown out.

use std::{net::IpAddr, sync::Arc};

use parlour_core::{
    Code, Error, UserId,
    command::{Authority, Identity},
    limits::Limits,
    model::{Credential, Millis, Session, User, UserState},
    port::store::ProfileUpdate,
};

use super::{
    Auth,
    claims::Refusal,
    identify::names_somebody,
    opaque,
    origin::COOKIE,
    password, refused,
    sessions::{Opened, Rotated},
    tickets::{LIFE, Ticket},
};

/// What a login gives.
pub(crate) struct SignedIn {
    /// The access token.
    pub(crate) access: String,
    /// The refresh token.
    pub(crate) refresh: String,
    /// How long the access token lasts, in seconds.
    pub(crate) expires_in: i64,
    /// Who.
    pub(crate) user: User,
    /// The `Set-Cookie` line.
    pub(crate) cookie: String,
}

/// What a refresh gives.
pub(crate) struct Refreshed {
    /// The access token.
    pub(crate) access: String,
    /// The refresh token that takes the place of the one that was used.
    pub(crate) refresh: String,
    /// How long the access token lasts, in seconds.
    pub(crate) expires_in: i64,
}

/// An account that somebody wants to have.
pub(crate) struct Registration {
    /// The name to sign in with.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: String,
    /// The name to show.
    pub(crate) name: Option<String>,
}

impl Auth {
    /// Signs in with name and password. An unknown name takes as long as a wrong password.
    pub(crate) async fn log_in(
        &self,
        username: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<SignedIn, Error> {
        password::check(password)?;
        if username.is_empty() || username.len() > 256 {
            return Err(wrong_credentials());
        }
        self.attempts.begin(username, from, self.clock.monotonic())?;
        let credential = self.store.credential(username.into()).await?;
        let hash = credential.as_ref().map(|c| c.password.clone());
        let right = self.passwords.verify(password, hash).await?;
        let (Some(credential), true) = (credential, right) else {
            return Err(wrong_credentials());
        };
        let user = self.active_user(credential.user).await?;
        self.attempts.succeeded(username);
        self.sign_in(user).await
    }

    /// Makes an account and signs it in.
    pub(crate) async fn register(
        &self,
        wish: Registration,
        from: IpAddr,
    ) -> Result<SignedIn, Error> {
        if !self.settings.registration {
            return Err(Error::new(Code::Forbidden, "this server makes no accounts"));
        }
        password::check_chosen(&wish.password)?;
        check_name("username", &wish.username, self.settings.name_chars)?;
        if let Some(name) = &wish.name {
            check_name("name", name, self.settings.name_chars)?;
        }
        self.attempts.begin(&wish.username, from, self.clock.monotonic())?;
        let username: Arc<str> = wish.username.trim().into();
        if self.store.credential(username.clone()).await?.is_some() {
            return Err(Error::new(Code::Conflict, "this username is taken"));
        }
        let (random, _) = opaque::make(&*self.random, "");
        let id = UserId::new(&format!("u_{}", random.get(..20).unwrap_or(&random)))?;
        let name = wish.name.as_deref().map(str::trim).map(Arc::from);
        let user = self.add_account(id, username, name, &wish.password).await?;
        self.sign_in(user).await
    }

    /// Makes a user with a password, or gives one that stands a new password.
    pub(crate) async fn add_account(
        &self,
        id: UserId,
        username: Arc<str>,
        name: Option<Arc<str>>,
        password: &str,
    ) -> Result<User, Error> {
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let update = ProfileUpdate {
            id: id.clone(),
            username: Some(username.clone()),
            name,
            email: None,
            avatar: None,
        };
        let user = self.store.save_user(update, now).await?;
        let credential = Credential { user: id, username, password: hash };
        self.store.set_credential(credential, now).await?;
        Ok(user)
    }

    /// The hash of a password, for the demonstration's people.
    pub(crate) async fn hash_password(&self, password: &str) -> Result<Arc<str>, Error> {
        self.passwords.hash(password).await
    }

    /// Changes a password: every sign-in so far ends, and a new one begins.
    pub(crate) async fn change_password(
        &self,
        identity: &Identity,
        current: &str,
        new: &str,
        from: IpAddr,
    ) -> Result<SignedIn, Error> {
        password::check(current)?;
        password::check_chosen(new)?;
        let user = self.active_user(identity.actor.user.clone()).await?;
        let username = user.profile.username.clone();
        self.attempts.begin(&username, from, self.clock.monotonic())?;
        let credential = self.store.credential(username.clone()).await?;
        let credential = credential.filter(|c| c.user == user.profile.id);
        let hash = credential.as_ref().map(|c| c.password.clone());
        let right = self.passwords.verify(current, hash).await?;
        let (Some(credential), true) = (credential, right) else {
            return Err(Error::new(Code::Forbidden, "the current password is not right"));
        };
        self.attempts.succeeded(&username);
        let hash = self.passwords.hash(new).await?;
        let now = self.clock.now();
        self.store.set_credential(Credential { password: hash, ..credential }, now).await?;
        self.revoke(&user.profile.id).await?;
        self.sign_in(user).await
    }

    /// A cookie for who already has a token. It ends when the token ends.
    pub(crate) async fn open_session(&self, identity: &Identity) -> Result<String, Error> {
        require_somebody(identity)?;
        let now = self.clock.now();
        let end = identity.expires_at.unwrap_or(now + self.settings.max_token_life);
        let opened = self.sessions.open(identity.actor.user.clone(), end, false).await?;
        Ok(self.cookie(&opened.cookie, end - now))
    }

    /// A new access token for a refresh token, which is replaced.
    pub(crate) async fn refresh(&self, refresh: &str) -> Result<Refreshed, Error> {
        match self.sessions.rotate(refresh).await? {
            Rotated::Fresh(session, refresh) => {
                let user = self.active_user(session.user.clone()).await?;
                if session.created_at < user.revoked_before {
                    return Err(refused(Refusal::Revoked));
                }
                let access = self.access(&session)?;
                Ok(Refreshed { access, refresh, expires_in: self.settings.access_ttl / 1_000 })
            }
            Rotated::Stolen(session) => {
                tracing::warn!(session = %session.id.0, "a refresh token came twice: its session is over");
                self.revocations.close_session(&session.user, &session.id);
                Err(refused(Refusal::Revoked))
            }
        }
    }

    /// A ticket for one socket.
    pub(crate) async fn ticket(
        &self,
        identity: &Identity,
        origin: Option<&str>,
    ) -> Result<String, Error> {
        require_somebody(identity)?;
        let now = self.clock.now();
        let mut identity = identity.clone();
        if identity.actor.authority == Authority::Server {
            identity.expires_at = Some(now + self.settings.max_token_life);
        }
        let (token, hash) = opaque::make(&*self.random, "");
        let kept = Ticket::new(&identity, origin).encode()?;
        self.store.create_ticket(hash, kept, now + LIFE).await?;
        Ok(token)
    }

    /// Ends the session that the caller came with. Gives the line that removes the cookie.
    pub(crate) async fn log_out(&self, identity: &Identity) -> Result<String, Error> {
        if let Some(session) = &identity.session {
            self.sessions.end(session).await?;
            self.revocations.close_session(&identity.actor.user, session);
        }
        Ok(self.cookie("", 0))
    }

    /// Ends every sign-in of a user.
    pub(crate) async fn revoke(&self, user: &UserId) -> Result<(), Error> {
        let revoked = self.store.revoke_user(user.clone(), self.clock.now()).await;
        self.forget(user);
        revoked
    }

    /// Bans or readmits a user.
    pub(crate) async fn set_banned(&self, user: &UserId, banned: bool) -> Result<(), Error> {
        let state = if banned { UserState::Banned } else { UserState::Active };
        let set = self.store.set_user_state(user.clone(), state).await;
        if banned {
            self.forget(user);
        } else {
            self.people.forget(user);
        }
        set
    }

    fn forget(&self, user: &UserId) {
        self.people.forget(user);
        self.sessions.forget_user(user);
        self.revocations.close_user(user);
    }

    async fn active_user(&self, id: UserId) -> Result<User, Error> {
        let user = self.store.user(id).await?.ok_or_else(|| refused(Refusal::UnknownUser))?;
        match user.state {
            UserState::Active => Ok(user),
            UserState::Banned => Err(refused(Refusal::Banned)),
        }
    }

    async fn sign_in(&self, user: User) -> Result<SignedIn, Error> {
        let life = self.settings.refresh_ttl;
        let end = self.clock.now() + life;
        let Opened { session, refresh, cookie } =
            self.sessions.open(user.profile.id.clone(), end, true).await?;
        Ok(SignedIn {
            access: self.access(&session)?,
            refresh: refresh.unwrap_or_default(),
            expires_in: self.settings.access_ttl / 1_000,
            user,
            cookie: self.cookie(&cookie, life),
        })
    }

    fn access(&self, session: &Session) -> Result<String, Error> {
        // A token does not outlive the session that it rests on.
        let left = session.expires_at.saturating_sub(self.clock.now());
        let life = self.settings.access_ttl.min(left);
        self.tokens.make(&session.user, Some(&session.id), None, life)
    }

    fn cookie(&self, token: &str, life: Millis) -> String {
        let secure = if self.settings.secure_cookie { "; Secure" } else { "" };
        let seconds = life.max(0) / 1_000;
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
    }
}

/// The same for an unknown name and a wrong password.
fn wrong_credentials() -> Error {
    Error::new(Code::NotAuthenticated, "the username or the password is not right")
}

fn require_somebody(identity: &Identity) -> Result<(), Error> {
    if names_somebody(identity) {
        return Ok(());
    }
    Err(Error::new(Code::InvalidFrame, "name the user in the Parlour-User header"))
}

fn check_name(what: &'static str, name: &str, most: usize) -> Result<(), Error> {
    if name.trim().is_empty() {
        return Err(Error::new(Code::Empty, format!("the {what} is empty")));
    }
    Limits::check_name(what, name, most)
}
