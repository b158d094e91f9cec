//! `/docs`: a reference page made from the OpenAPI document when it is first asked for. Plain HTML, readable offline.

use std::{fmt::Write as _, future::ready, sync::LazyLock};

use axum::{Router, routing::get};
use http::header;
use serde_json::Value;

use super::Api;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("docs.css");
const NATIVE: &str = include_str!("../../../../docs/protocol/native.md");
const ERRORS: &str = include_str!("../../../../contract/errors.toml");
/// Written down, and held against the routes by a test: so a server that starts need not make it, nor keep it in its memory.
const DOCUMENT: &str = include_str!("../../../../contract/openapi.json");
static PAGE: LazyLock<String> =
    LazyLock::new(|| page(&serde_json::from_str(DOCUMENT).unwrap_or_default()));

/// The document, the page, and the text of the native protocol.
pub(super) fn routes() -> Router<Api> {
    let text = |kind: &'static str, body: fn() -> &'static str| {
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        get(move || ready((headers, body())))
    };
    Router::new()
        .route("/openapi.json", text("application/json", || DOCUMENT))
        .route("/docs", text("text/html; charset=utf-8", || &PAGE))
        .route("/docs/style.css", text("text/css; charset=utf-8", || STYLE))
        .route("/docs/native-protocol", text("text/plain; charset=utf-8", || NATIVE))
}

fn page(document: &Value) -> String {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Parlour API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>\n",
    );
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
    html.push_str("<nav aria-label=\"Contents\"><strong>Parlour API</strong><ul>");
    for tag in &tags {
        let name = escape(text(&tag["name"]));
        let _ = write!(html, "<li><a href=\"#tag-{name}\">{name}</a></li>");
    }
    html.push_str(
        "<li><a href=\"#objects\">objects</a></li><li><a href=\"#errors\">errors</a></li>\
         <li><a href=\"/docs/native-protocol\">native protocol</a></li><li><a href=\"/openapi.json\">openapi.json</a></li></ul></nav>\n<main>",
    );
    let info = &document["info"];
    let _ = write!(
        html,
        "<h1>{} {}</h1><p>{}</p><p>JSON in, JSON out. Sign in with <code>Authorization: Bearer …</code>, the session \
         cookie, or an API key. Errors are <a href=\"#errors\">problems</a> with a stable code.</p>",
        escape(text(&info["title"])),
        escape(text(&info["version"])),
        marked(text(&info["description"])),
    );
    for tag in &tags {
        let name = text(&tag["name"]);
        let _ = write!(
            html,
            "<section aria-labelledby=\"tag-{0}\"><h2 id=\"tag-{0}\">{1}</h2>",
            escape(name),
            marked(text(&tag["description"]))
        );
        operations(document, name, &mut html);
        html.push_str("</section>");
    }
    objects(document, &mut html);
    errors(&mut html);
    html.push_str("</main></body></html>\n");
    html
}

fn operations(document: &Value, tag: &str, html: &mut String) {
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if operation["tags"][0] != tag {
                continue;
            }
            let method = method.to_uppercase();
            let id = escape(&format!("{method}{}", path.replace(['/', '{', '}'], "-")));
            let _ = write!(
                html,
                "<article><h3 id=\"{id}\"><a href=\"#{id}\"><span class=\"method\">{method}</span> <code>{}</code></a></h3>\
                 <p><strong>{}.</strong> {}</p>",
                escape(path),
                marked(text(&operation["summary"])),
                marked(text(&operation["description"])),
            );
            parameters(operation, html);
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if body.is_object() {
                let _ = write!(html, "<h4>Body</h4>{}", schema(document, body, true));
            }
            answers(operation, html);
            html.push_str("</article>");
        }
    }
}

fn parameters(operation: &Value, html: &mut String) {
    let Some(parameters) = operation["parameters"].as_array() else { return };
    html.push_str("<table><thead><tr><th>parameter<th>in<th>meaning</tr></thead><tbody>");
    for parameter in parameters {
        let _ = write!(
            html,
            "<tr><td><code>{}</code><td>{}<td>{}</tr>",
            escape(text(&parameter["name"])),
            escape(text(&parameter["in"])),
            marked(text(&parameter["description"])),
        );
    }
    html.push_str("</tbody></table>");
}

fn answers(operation: &Value, html: &mut String) {
    html.push_str("<table><thead><tr><th>answer<th>body<th>meaning</tr></thead><tbody>");
    let mut problems = Vec::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if response.get("$ref").is_some() {
            problems.push(status.as_str());
            continue;
        }
        let body = &response["content"]["application/json"]["schema"];
        let _ = write!(
            html,
            "<tr><td>{status}<td>{}<td>{}</tr>",
            kind(body),
            marked(text(&response["description"])),
        );
    }
    let _ = write!(
        html,
        "<tr><td>{}<td><a href=\"#schema-Problem\">Problem</a><td><a href=\"#errors\">errors</a></tr></tbody></table>",
        problems.join(", ")
    );
}

fn objects(document: &Value, html: &mut String) {
    html.push_str("<section aria-labelledby=\"objects\"><h2 id=\"objects\">Objects</h2>");
    for (name, object) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escape(name);
        let _ = write!(
            html,
            "<article><h3 id=\"schema-{name}\">{name}</h3><p>{}</p>{}",
            marked(text(&object["description"])),
            schema(document, object, false),
        );
        if let Some(example) = object["examples"].get(0) {
            let example = serde_json::to_string_pretty(example).unwrap_or_default();
            let _ = write!(
                html,
                "<details><summary>Example</summary><pre>{}</pre></details>",
                escape(&example)
            );
        }
        html.push_str("</article>");
    }
    html.push_str("</section>");
}

fn errors(html: &mut String) {
    html.push_str(
        "<section aria-labelledby=\"errors\"><h2 id=\"errors\">Errors</h2><p>Media type <code>application/problem+json</code>. \
         <em>rejected</em>: final; <em>retry</em>: not stored, try again; <em>unknown</em>: repeat with the same \
         <code>client_id</code> to settle it.</p><table><thead><tr><th>code<th>status<th>class<th>meaning</tr></thead><tbody>",
    );
    let table: toml::Table = ERRORS.parse().unwrap_or_default();
    for (code, entry) in &table {
        let field = |name: &str| entry.get(name).and_then(toml::Value::as_str).unwrap_or_default();
        let status = entry.get("status").and_then(toml::Value::as_integer).unwrap_or_default();
        let _ = write!(
            html,
            "<tr id=\"{0}\"><td><code>{0}</code><td>{status}<td>{1}<td>{2}</tr>",
            escape(code),
            escape(field("class")),
            marked(field("meaning")),
        );
    }
    html.push_str("</tbody></table></section>");
}

/// A schema: its properties as a table. A reference is followed once, for bodies.
fn schema(document: &Value, schema: &Value, follow: bool) -> String {
    if let Some(name) = referred(schema) {
        let target = &document["components"]["schemas"][name];
        return if follow { self::schema(document, target, false) } else { kind(schema) };
    }
    let parts = schema["allOf"].as_array();
    let mut html = String::new();
    for part in parts.into_iter().flatten() {
        html.push_str(&self::schema(document, part, false));
    }
    let Some(properties) = schema["properties"].as_object() else {
        if parts.is_none() {
            html.push_str(&kind(schema));
        }
        return html;
    };
    html.push_str("<table><thead><tr><th>field<th>type<th>meaning</tr></thead><tbody>");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in properties {
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{optional}<td>{}<td>{}</tr>",
            escape(name),
            kind(property),
            marked(text(&property["description"])),
        );
    }
    html.push_str("</tbody></table>");
    html
}

/// The name of a type, with a link where it has a place of its own.
fn kind(schema: &Value) -> String {
    if let Some(name) = referred(schema) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices = choices.iter().filter(|choice| choice["type"] != "null");
        return choices.map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return words.map(|w| format!("<code>{}</code>", escape(w))).collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => escape(name),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped, with what stands between backticks as code.
fn marked(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in escape(text).split('`').enumerate() {
        let _ = if index % 2 == 1 {
            write!(html, "<code>{part}</code>")
        } else {
            write!(html, "{part}")
        };
    }
    html
}
