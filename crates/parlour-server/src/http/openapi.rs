//! The OpenAPI 3.1 document, made from the routes themselves.

use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::{
    Api, auth, conversations, error::ProblemBody, me, messages, participants, receipts, seed, users,
};

/// What the document says before the paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Parlour",
        description = "The chat behind other people's applications. Sockets are described at `/docs/native-protocol`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    components(schemas(ProblemBody<'_>)),
    tags(
        (name = "auth", description = "Signing in and out"),
        (name = "me", description = "The signed-in user"),
        (name = "users", description = "Other people"),
        (name = "conversations", description = "Conversations"),
        (name = "participants", description = "Who is in a conversation"),
        (name = "messages", description = "Messages"),
        (name = "receipts", description = "Read marks and typing"),
        (name = "dialects", description = "In the shapes of the dialects, for existing clients"),
        (name = "server", description = "For the host application's server alone, with an API key")
    )
)]
struct Base;

/// The routes that are documented.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Base::openapi())
        .merge(auth::routes())
        .merge(me::routes())
        .merge(users::routes())
        .merge(conversations::routes())
        .merge(participants::routes())
        .merge(messages::routes())
        .merge(receipts::routes())
        .merge(seed::routes())
}

/// The document, for `parlour openapi` and for the file that `/openapi.json` serves.
pub(crate) fn document() -> String {
    let document = finished(routes().into_openapi());
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Adds what holds for every operation: sign-in, errors, examples.
fn finished(document: utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token: of the host application, or of a login."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": crate::auth::COOKIE,
            "description": "The session cookie; for pages of allowed origins."},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "A key of `parlour apikey add`, also as a bearer token. `Parlour-User` names the user for whom it acts."}
    });
    document["security"] = json!([{"bearer": []}, {"cookie": []}, {"api_key": []}]);
    document["components"]["responses"] = problems();
    for (name, example) in examples() {
        document["components"]["schemas"][name]["examples"] = json!([example]);
    }
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for (path, item) in paths {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            add_problems(path, operation);
        }
    }
    document
}

fn add_problems(path: &str, operation: &mut Value) {
    let public = operation["security"] == json!([{}]);
    let has_body = operation.get("requestBody").is_some();
    let login = path.starts_with("/api/v1/auth/");
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let mut add = |status: &str, name: &str| {
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        responses.entry(status).or_insert(reference);
    };
    if !public || login {
        add("401", "NotAuthenticated");
    }
    if !public || has_body {
        add("400", "Malformed");
        add("403", "Forbidden");
        add("429", "RateLimited");
    }
    if path.contains('{') {
        add("404", "NotFound");
    }
    if has_body {
        for (status, name) in
            [("409", "Conflict"), ("413", "TooLong"), ("415", "NotJson"), ("422", "Unprocessable")]
        {
            add(status, name);
        }
    }
    add("500", "Internal");
    add("503", "Unavailable");
}

fn problems() -> Value {
    let table = [
        ("Malformed", "not JSON, or not of the form that is asked for", "invalid_frame", 400),
        ("NotAuthenticated", "no valid sign-in", "not_authenticated", 401),
        ("Forbidden", "not allowed to the caller, or blocked", "forbidden", 403),
        ("NotFound", "unknown, or not the caller's: never told apart", "not_found", 404),
        ("Conflict", "contradicts what stands", "conflict", 409),
        ("TooLong", "longer than its limit", "too_long", 413),
        ("NotJson", "the body is not application/json", "invalid_frame", 415),
        ("Unprocessable", "an empty text, or a count at its limit", "empty", 422),
        ("RateLimited", "too often; `Retry-After` says when again", "rate_limited", 429),
        ("Internal", "the server failed; its log knows more", "internal", 500),
        (
            "Unavailable",
            "not stored (`unavailable`), or not known whether (`unknown`)",
            "unavailable",
            503,
        ),
    ];
    let mut responses = Map::new();
    for (name, description, code, status) in table {
        let body = json!({
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {"type": format!("/docs#{code}"), "title": description, "status": status,
                "detail": description, "code": code, "request_id": "9f86d081884c7d65"},
        });
        let content =
            json!({"description": description, "content": {"application/problem+json": body}});
        responses.insert(name.to_owned(), content);
    }
    Value::Object(responses)
}

/// One of each object, as it looks.
fn examples() -> [(&'static str, Value); 5] {
    let alice = json!({"id": "1", "username": "alice", "name": "Alice Archer", "avatar": null});
    let me = json!({"id": "1", "username": "alice", "name": "Alice Archer", "avatar": null,
        "email": "alice@example.org", "created_at": "2026-01-01T00:00:00.000Z"});
    let participant = json!({"user_id": "1", "user": alice, "role": "member", "joined_seq": 0, "delivered_seq": 45,
        "read_seq": 45, "status": "online", "last_seen": null});
    let message = json!({"id": 10, "conversation_id": 1, "seq": 45, "change_seq": 45, "sender_id": "1", "sender": alice,
        "client_id": "c0ffee", "type": "text", "content": "Is the room still free?", "metadata": null, "attachments": [],
        "reply_to": null, "created_at": "2026-01-01T12:00:00.000Z", "edited_at": null, "deleted_at": null});
    let conversation = json!({"id": 1, "kind": "direct", "state": "open", "title": null, "subject": "booking/42",
        "external_id": null, "metadata": null, "epoch": 1, "last_seq": 45, "receipts": 9,
        "created_at": "2026-01-01T00:00:00.000Z", "active_at": "2026-01-01T12:00:00.000Z",
        "participants": [participant], "participant_count": 2, "last_message": message, "unread_count": 0,
        "read_seq": 45, "delivered_seq": 45, "joined_seq": 0});
    [
        ("Profile", alice),
        ("Me", me),
        ("Participant", participant),
        ("Message", message),
        ("Conversation", conversation),
    ]
}
