//! Built-in accounts and API keys.

use std::sync::Arc;

use parlour_core::{
    Error, Result,
    error::Code,
    model::{ApiKey, Credential, Millis, TokenHash},
    port::{BoxFuture, store::AccountStore},
};
use rusqlite::Row;

use super::{
    SqliteStore,
    batch::Tx,
    db::Step,
    rows::{self, shared, token},
    users,
};

impl AccountStore for SqliteStore {
    fn set_credential(&self, credential: Credential, now: Millis) -> BoxFuture<'_, Result<()>> {
        self.write(256, move |tx| set_credential(tx, &credential, now))
    }

    fn credential(&self, username: Arc<str>) -> BoxFuture<'_, Result<Option<Credential>>> {
        self.read(move |db| {
            Ok(db.one(
                "SELECT user, username, password FROM credentials WHERE username_fold = ?1",
                [users::fold(&username)],
                |row| {
                    Ok(Credential {
                        user: rows::user_id(row, 0)?,
                        username: shared(row, 1)?,
                        password: shared(row, 2)?,
                    })
                },
            )?)
        })
    }

    fn add_api_key(&self, key: ApiKey) -> BoxFuture<'_, Result<()>> {
        self.write(128, move |tx| {
            let added = tx.db.run(
                "INSERT INTO api_keys (name, secret, created_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO NOTHING",
                (&key.name, key.secret.0, key.created_at),
            )?;
            if added == 0 {
                return Err(Error::new(Code::Conflict, "there is a key of that name").into());
            }
            Ok(())
        })
    }

    fn remove_api_key(&self, name: Arc<str>) -> BoxFuture<'_, Result<bool>> {
        self.write(0, move |tx| Ok(tx.db.run("DELETE FROM api_keys WHERE name = ?1", [&name])? > 0))
    }

    fn api_key(&self, secret: TokenHash) -> BoxFuture<'_, Result<Option<ApiKey>>> {
        self.read(move |db| {
            let sql = "SELECT name, secret, created_at FROM api_keys WHERE secret = ?1";
            Ok(db.one(sql, [secret.0], api_key)?)
        })
    }

    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKey>>> {
        self.read(|db| {
            let sql = "SELECT name, secret, created_at FROM api_keys ORDER BY name";
            Ok(db.all(sql, [], api_key)?)
        })
    }
}

fn api_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey { name: shared(row, 0)?, secret: token(row, 1)?, created_at: row.get(2)? })
}

fn set_credential(tx: &Tx<'_>, credential: &Credential, now: Millis) -> Step<()> {
    let user = credential.user.as_str();
    let name = users::fold(&credential.username);
    if tx.db.profile(user)?.is_none() {
        return Err(Error::not_found().into());
    }
    let taken = tx.db.exists(
        "SELECT 1 FROM credentials WHERE username_fold = ?1 AND user <> ?2",
        (&name, user),
    )?;
    if taken {
        return Err(Error::new(Code::Conflict, "that name is taken").into());
    }
    tx.db.run(
        "INSERT INTO credentials (user, username, username_fold, password, changed_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (user) DO UPDATE SET username = excluded.username, \
           username_fold = excluded.username_fold, password = excluded.password, \
           changed_at = excluded.changed_at",
        (user, &credential.username, &name, &credential.password, now),
    )?;
    Ok(())
}
