//! The reference page, the commented example and the effective configuration, all from the declarations.

use std::fmt::Write as _;

use confique::{
    Config as _,
    meta::{Expr, Field, FieldKind, LeafKind},
};
use toml::Value;

use super::{
    Config, Loaded,
    layers::{env_name, fields},
};

/// Keys whose values are never printed.
const SECRETS: [&str; 2] = ["auth.jwt_secret", "pusher.secret"];

/// `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration

Everything has a default: `parlour serve` starts without any of this. What is set is looked up in this order; the first
that sets a key decides:

1. flags of the command line (`--listen`, `--database`)
2. environment variables
3. the file that `--config FILE` or `PARLOUR_CONFIG` names, else `parlour.toml` in the working directory
4. the default

A key that does not exist, in the file, is an error that names it. `parlour config` prints what is in force and where each value
comes from, without secrets; `parlour config --example` prints a file with every key; `parlour doctor` checks the rest.

Durations are written as `250ms`, `30s`, `15m`, `24h`, `7d`. In environment variables a switch is `on` or `off`, and lists are separated by commas;
lists of tables are written as in the file: `[{id = \"7\", keys = [{key = \"a\", secret = \"…\"}]}]`.

This page is made from the program: `UPDATE_GOLDEN=1 cargo test -p parlour-server` rewrites it.
",
    );
    for section in Config::META.fields {
        let _ = write!(page, "\n## `[{}]`\n\n{}\n\n", section.name, text(section));
        page.push_str("| key | environment | default | meaning |\n| --- | --- | --- | --- |\n");
        for field in fields(section) {
            let env = env_name(&format!("{}.{}", section.name, field.name), field);
            let default = match default_of(field) {
                Some(default) => format!("`{default}`"),
                None => "none".to_owned(),
            };
            let meaning = text(field).replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | `{env}` | {default} | {meaning} |", field.name);
        }
    }
    let _ = write!(page, "\n## A file with every key\n\n```toml\n{}```\n", example());
    page
}

/// A file with every key, commented out.
#[must_use]
pub fn example() -> String {
    let mut file = String::new();
    for (index, section) in Config::META.fields.iter().enumerate() {
        if index > 0 {
            file.push('\n');
        }
        let _ = writeln!(file, "# {}\n[{}]", text(section), section.name);
        for field in fields(section) {
            for line in field.doc {
                let _ = writeln!(file, "#{}", line.trim_end());
            }
            match default_of(field) {
                Some(default) => {
                    let _ = writeln!(file, "#{} = {default}", field.name);
                }
                None => {
                    let _ = writeln!(file, "#{} = \"\"", field.name);
                }
            }
        }
    }
    file
}

/// What is in force, as TOML, with the place where each value was found. Secrets are left out.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let mut file = String::new();
    for (index, section) in Config::META.fields.iter().enumerate() {
        if index > 0 {
            file.push('\n');
        }
        let _ = writeln!(file, "[{}]", section.name);
        for field in fields(section) {
            let key = format!("{}.{}", section.name, field.name);
            let _ = match (loaded.set.get(&key), default_of(field)) {
                (Some((_, origin)), _) if SECRETS.contains(&key.as_str()) => {
                    writeln!(file, "{} = \"…\" # {origin}", field.name)
                }
                (Some((value, origin)), _) => {
                    writeln!(file, "{} = {} # {origin}", field.name, shown(value))
                }
                (None, Some(default)) => writeln!(file, "{} = {default} # default", field.name),
                (None, None) => writeln!(file, "# {} is not set", field.name),
            };
        }
    }
    file
}

/// A value as it may be printed: passwords in addresses are left out.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Value::from(without_password(text)).to_string(),
        other => {
            let mut copy = other.clone();
            redact(&mut copy);
            copy.to_string()
        }
    }
}

/// Leaves secrets out, and passwords in addresses, however deep they stand.
fn redact(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_password(text),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Table(table) => {
            for (name, inner) in table.iter_mut() {
                match name.as_str() {
                    "secret" => *inner = Value::from("…"),
                    _ => redact(inner),
                }
            }
        }
        _ => {}
    }
}

fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{path}"),
        None => text.to_owned(),
    }
}

fn text(field: &Field) -> String {
    field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn default_of(field: &Field) -> Option<String> {
    match field.kind {
        FieldKind::Leaf { kind: LeafKind::Required { default: Some(default) }, .. } => {
            Some(expression(&default))
        }
        _ => None,
    }
}

fn expression(expr: &Expr) -> String {
    match expr {
        Expr::Str(text) => Value::from(*text).to_string(),
        Expr::Float(number) => number.to_string(),
        Expr::Integer(number) => number.to_string(),
        Expr::Bool(yes) => yes.to_string(),
        Expr::Array(items) => {
            format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", "))
        }
        Expr::Map([]) => "{}".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(without_password("redis://u:p@host:1/0"), "redis://…@host:1/0");
        assert_eq!(without_password("sqlite://parlour.db"), "sqlite://parlour.db");
    }

    #[test]
    fn the_example_is_a_valid_file() {
        let uncommented: String = example()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && !rest.ends_with("\"\"") => {
                    format!("{rest}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("parlour.toml");
        std::fs::write(&path, uncommented).unwrap();
        let sources = crate::config::Sources { file: Some(path), ..Default::default() };
        let loaded = crate::config::load(&sources).unwrap();
        assert_eq!(loaded.config.server.listen, "127.0.0.1:8000");
        assert!(loaded.set.len() > 40);
    }
}
