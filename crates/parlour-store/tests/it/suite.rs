//! Runs the conformance suite on every store.

use parlour_core::testing::store_suite::{self, Bench};
use parlour_store::OpenOptions;

mod sqlite {
    use super::*;

    macro_rules! cases {
        ($($module:ident::$case:ident),* $(,)?) => {$(
            #[tokio::test]
            async fn $case() {
                let bench = Bench::new(async |sink| {
                    parlour_store::open("sqlite::memory:", OpenOptions::default(), sink).await.unwrap()
                })
                .await;
                store_suite::$module::$case(&bench).await;
                bench.finish().await;
            }
        )*};
    }

    parlour_core::store_cases!(cases);
}

mod postgres {
    use super::*;
    use crate::support::database;

    macro_rules! cases {
        ($($module:ident::$case:ident),* $(,)?) => {$(
            #[tokio::test]
            async fn $case() {
                let Some(database) = database() else { return };
                let bench = Bench::new(async |sink| {
                    parlour_store::open(&database.url(), OpenOptions::default(), sink).await.unwrap()
                })
                .await;
                store_suite::$module::$case(&bench).await;
                bench.finish().await;
                bench.store.close().await;
            }
        )*};
    }

    parlour_core::store_cases!(cases);
}
