//! Built-in accounts and API keys.

use std::sync::Arc;

use parlour_core::{
    Error, Result,
    error::Code,
    model::{ApiKey, Credential, Millis, TokenHash},
    port::{BoxFuture, store::AccountStore},
};
use tokio_postgres::{Row, error::SqlState};

use super::{
    PostgresStore,
    batch::Tx,
    db::{Failure, Step},
    rows::{integer, shared, token, user_id},
};
use crate::stored::fold;

impl AccountStore for PostgresStore {
    fn set_credential(&self, credential: Credential, now: Millis) -> BoxFuture<'_, Result<()>> {
        self.write(256, (credential, now), |tx, (credential, now)| {
            Box::pin(set_credential(tx, credential, *now))
        })
    }

    fn credential(&self, username: Arc<str>) -> BoxFuture<'_, Result<Option<Credential>>> {
        self.read(fold(&username), |db, name| {
            Box::pin(async move {
                db.one(
                    "SELECT user_id, username, password FROM credentials WHERE username_fold = $1",
                    &[&name.as_str()],
                    |row| {
                        Ok(Credential {
                            user: user_id(row, 0)?,
                            username: shared(row, 1)?,
                            password: shared(row, 2)?,
                        })
                    },
                )
                .await
            })
        })
    }

    fn add_api_key(&self, key: ApiKey) -> BoxFuture<'_, Result<()>> {
        self.write(128, key, |tx, key| {
            Box::pin(async move {
                let added = tx
                    .db
                    .run(
                        "INSERT INTO api_keys (name, secret, created_at) VALUES ($1, $2, $3) \
                         ON CONFLICT DO NOTHING",
                        &[&&*key.name, &key.secret.0, &key.created_at],
                    )
                    .await?;
                if added == 0 {
                    return Err(Error::new(Code::Conflict, "there is a key of that name").into());
                }
                Ok(())
            })
        })
    }

    fn remove_api_key(&self, name: Arc<str>) -> BoxFuture<'_, Result<bool>> {
        self.write(0, name, |tx, name| {
            Box::pin(async move {
                let removed =
                    tx.db.run("DELETE FROM api_keys WHERE name = $1", &[&&**name]).await?;
                Ok(removed > 0)
            })
        })
    }

    fn api_key(&self, secret: TokenHash) -> BoxFuture<'_, Result<Option<ApiKey>>> {
        self.read(secret, |db, secret| {
            Box::pin(async move {
                let sql = "SELECT name, secret, created_at FROM api_keys WHERE secret = $1";
                db.one(sql, &[&secret.0], api_key).await
            })
        })
    }

    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKey>>> {
        self.read((), |db, ()| {
            Box::pin(async move {
                let sql = "SELECT name, secret, created_at FROM api_keys ORDER BY name";
                db.all(sql, &[], api_key).await
            })
        })
    }
}

fn api_key(row: &Row) -> Step<ApiKey> {
    Ok(ApiKey { name: shared(row, 0)?, secret: token(row, 1)?, created_at: integer(row, 2)? })
}

async fn set_credential(tx: &mut Tx, credential: &Credential, now: Millis) -> Step<()> {
    let user = credential.user.as_str();
    let name = fold(&credential.username);
    let is_known = tx.db.send("SELECT 1 FROM users WHERE id = $1", &[&user]).await?;
    let sql = "SELECT 1 FROM credentials WHERE username_fold = $1 AND user_id <> $2";
    let is_taken = tx.db.send(sql, &[&name.as_str(), &user]).await?;
    if is_known.rows().await?.is_empty() {
        return Err(Error::not_found().into());
    }
    if !is_taken.rows().await?.is_empty() {
        return Err(taken());
    }
    let stored = tx
        .db
        .run(
            "INSERT INTO credentials (user_id, username, username_fold, password, changed_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, \
               username_fold = excluded.username_fold, password = excluded.password, \
               changed_at = excluded.changed_at",
            &[&user, &&*credential.username, &name.as_str(), &&*credential.password, &now],
        )
        .await;
    match stored {
        // Another process gave the name away meanwhile.
        Err(Failure::Database(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            Err(taken())
        }
        stored => stored.map(drop),
    }
}

fn taken() -> Failure {
    Error::new(Code::Conflict, "that name is taken").into()
}
