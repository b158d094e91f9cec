//! Power cuts of the machine, made up from what the real server does to its files.

use std::path::Path;

use parlour_engines::skip;
use parlour_harness::{
    power::{Plan, can_trace, run},
    process::{binary, mutant_binary},
};

const SHORT: Plan = Plan { seed: 4, messages: 40, talkers: 6, cuts: 100 };

const NO_STRACE: &str = "strace is not installed, or may not follow processes here";

#[tokio::test]
async fn g1_ck16_nothing_that_was_told_is_lost_in_a_power_cut() {
    if !can_trace() {
        return skip(NO_STRACE);
    }
    let outcome = run(&SHORT, Path::new(&binary().unwrap())).await.unwrap();
    println!("{outcome:?}");
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert_eq!(outcome.cuts, SHORT.cuts);
}

#[tokio::test]
async fn g1_ck16_an_answer_before_the_commit_is_found() {
    if !can_trace() {
        return skip(NO_STRACE);
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("mutant");
    let text = format!(
        "#!/bin/sh\nPARLOUR_MUTANT=ack_before_commit exec '{}' \"$@\"\n",
        mutant_binary().unwrap().display()
    );
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let outcome = run(&SHORT, &script).await.unwrap();
    assert!(outcome.violations.iter().any(|found| found.contains("CK16")), "{outcome:?}");
    assert!(outcome.violations.iter().any(|found| found.contains("CK1:")), "{outcome:?}");
}
