//! What documents name exists.

use std::path::{Component, Path, PathBuf};

use crate::repository::{files, none, read, root};

/// A text in backquotes that begins with one of these is a path of the repository.
const FOLDERS: &[&str] = &[
    "crates/",
    "js/",
    "docs/",
    "tests/",
    "contract/",
    "bench/",
    "fuzz/",
    "deploy/",
    "scripts/",
    ".ci/",
];

/// Whether a path stands for something else: a pattern, or a name to be chosen.
fn is_pattern(path: &str) -> bool {
    path.contains(['*', '{', '<', '…', '$', ' ', '(', '=']) || path.contains("...")
}

fn documents() -> impl Iterator<Item = (String, String)> {
    files()
        .into_iter()
        .filter(|path| path.ends_with(".md") && !path.contains("/corpus/"))
        .filter_map(|path| read(&path).map(|text| (path, text)))
}

#[test]
fn every_path_in_backquotes_exists() {
    let mut found = Vec::new();
    for (document, text) in documents() {
        for (number, line) in text.lines().enumerate() {
            for path in line.split('`').skip(1).step_by(2) {
                let path = path.split_once(':').map_or(path, |(path, _)| path);
                let is_path = FOLDERS.iter().any(|folder| path.starts_with(folder));
                if is_path && !is_pattern(path) && !root().join(path).exists() {
                    found.push(format!("{document}:{}: {path}", number + 1));
                }
            }
        }
    }
    none("paths that do not exist", &found);
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for (document, text) in documents() {
        let folder = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere =
                link.contains("://") || link.starts_with("mailto:") || target.is_empty();
            if !elsewhere
                && !is_pattern(target)
                && !root().join(normal(&folder.join(target))).exists()
            {
                found.push(format!("{document}: {link}"));
            }
        }
    }
    none("links that lead nowhere", &found);
}

/// The path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts
}
