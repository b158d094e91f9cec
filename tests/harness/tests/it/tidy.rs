//! Rules that matter are tests: sizes, module sentences, crate arrows, and what must not be in the repository.

use toml::Table;

use crate::repository::{files, has_extension, none, read, tracked};

/// What a hand-written source file should not pass.
const AIM: usize = 400;
/// What it must not pass.
const MOST: usize = 600;

/// Files above the aim, with the lines that they may have. This list only shrinks.
const LARGE: &[(&str, usize)] = &[];

/// Which of our crates a crate may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("parlour-core", &[]),
    ("parlour-websocket", &[]),
    ("parlour-wire", &["parlour-core"]),
    ("parlour-store", &["parlour-core"]),
    ("parlour-bus", &["parlour-core"]),
    (
        "parlour-server",
        &["parlour-core", "parlour-wire", "parlour-store", "parlour-bus", "parlour-websocket"],
    ),
];

/// Libraries that only some crates may use.
const RESERVED: &[(&str, &str)] = &[
    ("rusqlite", "parlour-store"),
    ("sqlx", "parlour-store"),
    ("tokio-postgres", "parlour-store"),
    ("redis", "parlour-bus"),
    ("axum", "parlour-server"),
    ("hyper", "parlour-server"),
    ("tower", "parlour-server"),
];

fn sources() -> impl Iterator<Item = (String, String)> {
    let is_source =
        |path: &String| has_extension(path, &["rs", "ts", "tsx"]) && !path.ends_with(".d.ts");
    let is_generated = |text: &str| text.lines().take(3).any(|line| line.contains("@generated"));
    files()
        .into_iter()
        .filter(is_source)
        .filter_map(|path| read(&path).map(|text| (path, text)))
        .filter(move |(_, text)| !is_generated(text))
}

#[test]
fn source_files_stay_small() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        let allowed = LARGE.iter().find(|(large, _)| *large == path).map(|(_, lines)| *lines);
        match allowed {
            _ if lines > MOST => found.push(format!("{path} has {lines} lines, {MOST} is the end")),
            None if lines > AIM => found.push(format!("{path} has {lines} lines: split it")),
            Some(allowed) if lines > allowed => {
                found.push(format!("{path} has grown from {allowed} to {lines} lines"));
            }
            Some(_) if lines <= AIM => found.push(format!("{path}: take it off the list")),
            _ => {}
        }
    }
    none("files that are too large", &found);
}

#[test]
fn each_source_file_begins_with_a_sentence() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let says_something = match path.ends_with(".rs") {
            true => first.starts_with("//! "),
            false => first.starts_with("// ") || first.starts_with("/**"),
        };
        if !says_something {
            found.push(format!("{path}: {first}"));
        }
    }
    none("files whose first line does not say what they are for", &found);
}

/// The direct dependencies of a crate, but those of its tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: Table = read(manifest).unwrap().parse().unwrap();
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.into_iter().flat_map(Table::keys).cloned().collect()
}

fn manifests() -> Vec<(String, String)> {
    let name =
        |path: &String| Some(path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?.to_owned());
    let all: Vec<_> = files().into_iter().filter_map(|path| Some((name(&path)?, path))).collect();
    assert!(all.len() >= ARROWS.len(), "the crates are not where they should be");
    all
}

#[test]
fn crates_depend_on_each_other_along_the_arrows() {
    let mut found = Vec::new();
    for (name, manifest) in manifests() {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} is not in the table of arrows"));
            continue;
        };
        let ours = dependencies(&manifest).into_iter().filter(|to| to.starts_with("parlour-"));
        let wrong = ours.filter(|to| !allowed.contains(&to.as_str()));
        found.extend(wrong.map(|to| format!("{name} → {to}")));
    }
    none("arrows that must not be", &found);
}

#[test]
fn reserved_libraries_stay_where_they_belong() {
    let mut found = Vec::new();
    for (name, manifest) in manifests() {
        for library in dependencies(&manifest) {
            let owner = RESERVED.iter().find(|(reserved, _)| *reserved == library);
            if owner.is_some_and(|(_, owner)| *owner != name) {
                found.push(format!("{name} → {library}"));
            }
        }
    }
    none("libraries in the wrong crate", &found);
}

#[test]
fn only_the_store_speaks_sql() {
    let words = ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "\"PRAGMA "];
    let mut found = Vec::new();
    for (path, text) in sources() {
        let elsewhere = path.starts_with("crates/") && !path.starts_with("crates/parlour-store/");
        if elsewhere && words.iter().any(|word| text.contains(word)) {
            found.push(path);
        }
    }
    none("SQL outside of the store", &found);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let without: Vec<String> = files()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml"))
        .filter(|path| path.starts_with("crates/") || path.starts_with("tests/"))
        .filter(|path| {
            let manifest: Table = read(path).unwrap().parse().unwrap();
            let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
            lints != Some(&toml::Value::Boolean(true))
        })
        .collect();
    none("crates without the lints of the workspace", &without);
}

#[test]
fn no_machine_and_no_private_host_is_named() {
    // Written apart, so that this file does not name them itself.
    let words =
        [["/work", "/"], ["/ro", "ot/"], ["arti", "factory"], ["/ho", "me/"], ["/Us", "ers/"]]
            .map(|parts| parts.concat());
    let mut found = Vec::new();
    for path in files().into_iter().filter(|path| !path.starts_with("fuzz/corpus/")) {
        let Some(text) = read(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    none("paths and hosts of one machine", &found);
}

#[test]
fn no_line_ends_in_blanks() {
    let written = |path: &String| {
        has_extension(
            path,
            &["rs", "ts", "tsx", "css", "html", "md", "toml", "sql", "yaml", "yml", "sh", "json"],
        ) && !path.starts_with("fuzz/corpus/")
    };
    let mut found = Vec::new();
    for path in files().into_iter().filter(written) {
        let Some(text) = read(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                found.push(format!("{path}:{}", number + 1));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            found.push(format!("{path} does not end its last line"));
        }
    }
    none("blanks at the end", &found);
}

#[test]
fn built_files_are_not_kept() {
    let built = |path: &String| {
        let folder = |name: &str| path.split('/').rev().skip(1).any(|part| part == name);
        folder("node_modules")
            || folder("dist")
            || folder("target")
            || folder("test-results")
            || has_extension(path, &["tsbuildinfo", "db", "o", "so", "wasm", "map"])
    };
    let found: Vec<String> = tracked().into_iter().filter(built).collect();
    none("built files in git", &found);
}
