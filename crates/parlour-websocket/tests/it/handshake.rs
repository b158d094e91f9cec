//! The opening handshake.

use parlour_websocket::handshake::{
    HandshakeError, UpgradeRequest, accept, accept_key, select_subprotocol,
};
use proptest::prelude::proptest;

const GOOD: UpgradeRequest<'static> = UpgradeRequest {
    method: "GET",
    is_http_1_1: true,
    upgrade: "websocket",
    connection: "Upgrade",
    version: "13",
    key: "dGhlIHNhbXBsZSBub25jZQ==",
};

#[test]
fn the_example_of_the_rfc_is_accepted() {
    assert_eq!(accept(&GOOD).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(accept_key(GOOD.key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn header_values_that_browsers_and_proxies_send() {
    for connection in ["upgrade", "keep-alive, Upgrade", "Upgrade,keep-alive", " UPGRADE "] {
        assert!(accept(&UpgradeRequest { connection, ..GOOD }).is_ok(), "{connection}");
    }
    for upgrade in ["WebSocket", "WEBSOCKET", "h2c, websocket"] {
        assert!(accept(&UpgradeRequest { upgrade, ..GOOD }).is_ok(), "{upgrade}");
    }
}

#[test]
fn broken_requests_are_refused_with_a_status() {
    let check = |request: UpgradeRequest<'_>, error: HandshakeError, status: u16| {
        assert_eq!(accept(&request), Err(error), "{request:?}");
        assert_eq!(error.status(), status);
    };
    for method in ["POST", "get", "CONNECT", ""] {
        check(UpgradeRequest { method, ..GOOD }, HandshakeError::Method, 405);
    }
    check(UpgradeRequest { is_http_1_1: false, ..GOOD }, HandshakeError::HttpVersion, 400);
    for upgrade in ["", "h2c", "websockets", "web socket"] {
        check(UpgradeRequest { upgrade, ..GOOD }, HandshakeError::NotAnUpgrade, 426);
    }
    for connection in ["", "close", "keep-alive", "upgrades"] {
        check(UpgradeRequest { connection, ..GOOD }, HandshakeError::NotAnUpgrade, 426);
    }
    for version in ["", "8", "12", "13, 8", "013", "13.0"] {
        check(UpgradeRequest { version, ..GOOD }, HandshakeError::Version, 426);
    }
    let keys = [
        "",
        "short",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZVg=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "éééééééééééééééééééééé==",
    ];
    for key in keys {
        check(UpgradeRequest { key, ..GOOD }, HandshakeError::Key, 400);
    }
}

#[test]
fn subprotocols() {
    let supported = ["parlour.v1", "pusher"];
    let select = |offered| select_subprotocol(offered, &supported);
    assert_eq!(select(""), Ok(None));
    assert_eq!(select("parlour.v1"), Ok(Some("parlour.v1")));
    assert_eq!(select("pusher, parlour.v1"), Ok(Some("pusher")));
    assert_eq!(select("graphql-ws ,parlour.v1"), Ok(Some("parlour.v1")));
    for unknown in ["mqtt", "PUSHER", "parlour.v1x", "a,b,c"] {
        assert_eq!(select(unknown), Err(HandshakeError::UnknownSubprotocol), "{unknown}");
    }
    for malformed in ["a,,b", ",", "pusher, pusher", "pu sher", "pusher;v=1", "\"pusher\"", "é"] {
        assert_eq!(select(malformed), Err(HandshakeError::MalformedSubprotocols), "{malformed}");
    }
}

proptest! {
    #[test]
    fn a_selected_subprotocol_was_offered(offered in "[ab, ;\"é]{0,12}") {
        if let Ok(Some(name)) = select_subprotocol(&offered, &["a", "b", "ab", "c"]) {
            assert!(offered.split(',').any(|item| item.trim() == name), "{name} of {offered}");
        }
    }

    #[test]
    fn any_header_values_are_answered(
        upgrade in "(?i)(websocket|[a-z, ]{0,12})",
        connection in "(?i)([a-z-]{0,10}, ?)?(upgrade)?",
        version in "13|[0-9]{0,3}",
        key in "[A-Za-z0-9+/]{21}[AQgw]==|\\PC{0,30}",
    ) {
        let key = key.as_str();
        let request = UpgradeRequest {
            upgrade: &upgrade,
            connection: &connection,
            version: &version,
            key,
            ..GOOD
        };
        if let Ok(answer) = accept(&request) {
            assert_eq!(answer, accept_key(key.trim()));
            assert_eq!((version.as_str(), answer.len()), ("13", 28));
        }
    }
}

#[cfg(feature = "deflate")]
mod deflate {
    use parlour_websocket::Deflate;
    use proptest::prelude::proptest;

    proptest! {
        #[test]
        fn any_offer_is_answered_by_what_it_allows(
            offers in "(permessage-deflate|[a-z;,=\" 0-9]{0,9}\
                |; ?(server|client)_(max_window_bits(=1?[0-9])?|no_context_takeover)){0,7}",
        ) {
            if let Some(answer) = answer(&offers) {
                assert!(offers.to_ascii_lowercase().contains("permessage-deflate"));
                if let Some((_, bits)) = answer.split_once("server_max_window_bits=") {
                    assert!(offers.contains(&format!("server_max_window_bits={bits}")), "{answer}");
                }
            }
        }
    }

    const BASE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(offers: &str) -> Option<String> {
        Deflate::negotiate(offers).map(|accepted| accepted.to_string())
    }

    #[test]
    fn offers_that_are_accepted() {
        let plain = [
            "permessage-deflate",
            "Permessage-Deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate;client_max_window_bits=\"15\"",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
            "foo; bar=\"a,b;c\", permessage-deflate",
        ];
        for offer in plain {
            assert_eq!(answer(offer).as_deref(), Some(BASE), "{offer}");
        }
    }

    #[test]
    fn a_demanded_server_window_is_kept_to() {
        for bits in 9..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let expected = format!("{BASE}; server_max_window_bits={bits}");
            assert_eq!(answer(&offer), Some(expected));
            let accepted = Deflate::negotiate(&offer).unwrap();
            assert_eq!(accepted.server_window_bits(), bits);
            assert!(accepted.can_read(bits, usize::MAX));
            assert!(accepted.can_read(15, 1 << bits));
            assert_eq!(accepted.can_read(15, (1 << bits) + 1), bits == 15);
        }
    }

    #[test]
    fn offers_that_are_declined() {
        let declined = [
            "",
            "x-webkit-deflate-frame",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+10",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; unknown",
            "permessage-deflate;",
            "permessage-deflate; ;",
        ];
        for offer in declined {
            assert_eq!(answer(offer), None, "{offer}");
        }
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_taken() {
        let offers = "permessage-deflate; server_max_window_bits=8, \
                      permessage-deflate; server_max_window_bits=10, permessage-deflate";
        assert_eq!(answer(offers), Some(format!("{BASE}; server_max_window_bits=10")));
    }
}
