//! Passwords of built-in accounts: Argon2id on a few threads, with a bounded queue before them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use parlour_core::{Code, Error};
use tokio::sync::{OnceCell, Semaphore};

/// Longest password, in bytes. Nothing is ever cut.
pub(crate) const MAX_BYTES: usize = 1_024;
/// Shortest password that a person may choose, in characters.
pub(crate) const MIN_CHARS: usize = 8;
/// Most who wait for a thread (I16).
const MAX_WAITING: usize = 64;

/// Hashes and verifies.
pub(crate) struct Passwords {
    threads: Semaphore,
    waiting: AtomicUsize,
    /// A hash that no password has, so that an unknown name takes as long as a wrong password.
    decoy: OnceCell<Arc<str>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4);
        Self {
            threads: Semaphore::new(threads),
            waiting: AtomicUsize::new(0),
            decoy: OnceCell::new(),
        }
    }
}

impl Passwords {
    /// The hash to store.
    pub(crate) async fn hash(&self, password: &str) -> Result<Arc<str>, Error> {
        check(password)?;
        let password = password.to_owned();
        self.run(move || hash_blocking(&password)).await?
    }

    /// Whether the password is the one of the hash. Without a hash it takes as long, and is not.
    pub(crate) async fn verify(
        &self,
        password: &str,
        hash: Option<Arc<str>>,
    ) -> Result<bool, Error> {
        check(password)?;
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => self.decoy.get_or_try_init(|| self.decoy()).await?.clone(),
        };
        let password = password.to_owned();
        let right = self
            .run(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
                })
            })
            .await?;
        Ok(right && known)
    }

    async fn decoy(&self) -> Result<Arc<str>, Error> {
        self.run(|| hash_blocking("decoy")).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = Place::take(&self.waiting)?;
        let permit = self.threads.acquire().await.map_err(Error::unavailable)?;
        drop(place);
        let result = tokio::task::spawn_blocking(work).await.map_err(Error::internal);
        drop(permit);
        result
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        if waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::new(Code::RateLimited, "too many sign in at this moment")
                .with_limit("logins")
                .with_retry_after(Duration::from_secs(2)));
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Hashes on the calling thread.
pub(crate) fn hash_blocking(password: &str) -> Result<Arc<str>, Error> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string().into())
        .map_err(|error| Error::internal(error.to_string()))
}

/// Whether a password is of a form that is accepted at all.
pub(crate) fn check(password: &str) -> Result<(), Error> {
    if password.is_empty() {
        return Err(Error::new(Code::Empty, "the password is empty"));
    }
    if password.len() > MAX_BYTES {
        return Err(Error::new(Code::TooLong, "a password has at most 1024 bytes")
            .with_limit("password_bytes"));
    }
    if password.contains('\0') {
        return Err(Error::new(Code::InvalidFrame, "a password must not contain NUL"));
    }
    Ok(())
}

/// Whether a person may choose it.
pub(crate) fn check_chosen(password: &str) -> Result<(), Error> {
    check(password)?;
    if password.chars().count() < MIN_CHARS {
        return Err(Error::new(Code::InvalidFrame, "a password has at least 8 characters"));
    }
    Ok(())
}
