//! The files of the repository, for the tests that read them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file that is, or is about to be, in the repository, relative to its root.
pub(crate) fn files() -> Vec<String> {
    list(&["ls-files", "--cached", "--others", "--exclude-standard"])
}

/// Every file that git keeps.
pub(crate) fn tracked() -> Vec<String> {
    list(&["ls-files"])
}

fn list(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("git").arg("-C").arg(root()).args(arguments).output();
    let output = output.expect("git lists the files whose rules are checked here");
    assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // A file that was deleted a moment ago is still in the index.
    text.lines().filter(|path| root().join(path).is_file()).map(Into::into).collect()
}

/// The text of a file; `None` when it is no text.
pub(crate) fn read(path: &str) -> Option<String> {
    String::from_utf8(fs::read(root().join(path)).ok()?).ok()
}

/// Whether a path ends in one of these extensions.
pub(crate) fn has_extension(path: &str, extensions: &[&str]) -> bool {
    Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.contains(&extension))
}

/// Fails with everything that was found, if anything was.
#[track_caller]
pub(crate) fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
