//! The ordinary form of the matrix: few messages. `make matrix` runs the long one.

use std::sync::Arc;

use parlour_harness::dialects::{Kind, matrix, open_server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_g5_every_kind_of_client_hears_every_other_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(open_server(folder.path()).await.unwrap());
    let cells = matrix::run(server, &Kind::ALL, 20).await.unwrap();
    println!("{}", matrix::table(&Kind::ALL, &cells));
    assert_eq!(cells.len(), 49 + 6);
    let faults = matrix::faults(&cells);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_what_is_said_in_the_instant_of_the_subscription_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(open_server(folder.path()).await.unwrap());
    let cells = matrix::pairs(server, &[Kind::Pusher; 10], 2).await.unwrap();
    let faults = matrix::faults(&cells);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
