//! REST in the shapes of the dialects, for clients that were written for another server: addresses with and without a
//! last slash, ids and messages as their sockets have them.
//!
//! Rights, limits, sign-in and errors are those of `/api/v1`: both call the same services.

mod conversations;
mod links;
mod messages;
mod participants;
mod unread;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

/// The addresses; those with a last slash are not documented apart.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(conversations::routes())
        .merge(messages::routes())
        .merge(participants::routes())
        .merge(unread::routes())
}
