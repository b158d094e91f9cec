//! Runs the conformance suite on SQLite.

use std::sync::Arc;

use parlour_core::{
    port::store::{CommitSink, Store},
    testing::store_suite::{self, Bench},
};
use parlour_store::OpenOptions;

async fn open(sink: Arc<dyn CommitSink>) -> Arc<dyn Store> {
    parlour_store::open("sqlite::memory:", OpenOptions::default(), sink).await.unwrap()
}

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let bench = Bench::new(open).await;
            store_suite::$module::$case(&bench).await;
            bench.finish().await;
        }
    )*};
}

parlour_core::store_cases!(cases);
