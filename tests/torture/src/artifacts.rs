//! What is kept of a run that failed: the history, the plan with its seed and commit, and all logs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use parlour_harness::history::Recorder;

use crate::{
    cluster::Cluster,
    run::{Outcome, Plan},
};

/// Keeps it in a folder of `test-results`.
pub(crate) fn keep(
    plan: &Plan,
    cluster: &Cluster,
    recorder: &Recorder,
    result: &Result<Outcome>,
) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let seed = plan.setup.seed;
    let name = format!("torture-{:?}-{}-{seed}", plan.setup.store, plan.setup.processes);
    let folder = root.join("test-results").join(name.to_lowercase());
    fs::create_dir_all(&folder)?;
    recorder.save(&folder.join("history.jsonl"))?;
    let mut text = format!("seed {seed}\n{:?}\ncommit {}\n\n", plan.setup, commit(&root));
    for step in &plan.steps {
        text.push_str(&format!("{step}\n"));
    }
    match result {
        Ok(outcome) => {
            for violation in &outcome.violations {
                text.push_str(&format!("\n{violation}"));
            }
        }
        Err(error) => text.push_str(&format!("\n{error:#}")),
    }
    fs::write(folder.join("plan.txt"), text)?;
    cluster.keep_logs(&folder)?;
    Ok(folder)
}

/// The commit of the sources, where git knows.
fn commit(root: &Path) -> String {
    let mut git = std::process::Command::new("git");
    let output = git.current_dir(root).args(["describe", "--always", "--dirty"]).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
