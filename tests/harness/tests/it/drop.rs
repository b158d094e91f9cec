//! The ordinary form of the drop: a second away. `make drop` runs the long one.

use std::time::Duration;

use parlour_harness::dialects::{
    Kind,
    drop::{self, Way},
};

async fn all_come_back(way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let away = Duration::from_secs(1);
    let cells = drop::run(folder.path(), &Kind::SOCKETS, way, away).await.unwrap();
    println!("{}", drop::table(&Kind::SOCKETS, &cells));
    assert!(cells.len() >= Kind::SOCKETS.len());
    let faults = drop::faults(&cells);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_g6_who_was_cut_off_gets_everything_once_and_in_order() {
    all_come_back(Way::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_g6_also_when_the_server_was_killed_meanwhile() {
    all_come_back(Way::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_g6_also_when_the_old_connection_still_stands() {
    all_come_back(Way::HalfOpen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_g6_each_of_two_sockets_gets_its_own_part() {
    all_come_back(Way::Two).await;
}
