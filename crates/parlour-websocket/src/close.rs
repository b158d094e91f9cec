//! Close codes of RFC 6455, section 7.4.

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The endpoint goes away: a server shuts down, a browser leaves the page.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke the framing rules.
pub const PROTOCOL_ERROR: u16 = 1002;
/// The peer sent a kind of data that is not accepted here, for example binary. The decoder never
/// answers with it: only its caller knows what it accepts.
pub const UNSUPPORTED: u16 = 1003;
/// Text or a close reason is not UTF-8, or a compressed message does not inflate.
pub const INVALID_PAYLOAD: u16 = 1007;
/// A rule of the application was broken.
pub const POLICY: u16 = 1008;
/// The message has more bytes or more fragments than are accepted.
pub const TOO_BIG: u16 = 1009;
/// The server met a condition of its own that keeps it from going on.
pub const INTERNAL_ERROR: u16 = 1011;
/// The service restarts; the client may reconnect after a delay.
pub const SERVICE_RESTART: u16 = 1012;
/// The service is overloaded; the client may reconnect after a delay.
pub const TRY_AGAIN_LATER: u16 = 1013;

/// Longest close reason in bytes: a control frame carries 125, the code takes two (section 5.5).
pub const MAX_REASON_BYTES: usize = 123;

/// Whether a peer may put `code` into a close frame.
///
/// False for 0 to 999, for the reserved 1004, for 1005, 1006 and 1015, which only ever describe a
/// connection that was closed without them, for the unassigned codes below 3000 and for 5000 and
/// above. 1012 to 1014 are registered with IANA and therefore allowed.
#[must_use]
pub const fn is_allowed(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Cuts `reason` to [`MAX_REASON_BYTES`], never inside a character.
#[must_use]
pub fn fit_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::{fit_reason, is_allowed};

    #[test]
    fn allowed_codes_are_those_of_the_registry() {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert!(is_allowed(code), "{code}");
        }
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX] {
            assert!(!is_allowed(code), "{code}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(fit_reason("short"), "short");
        assert_eq!(fit_reason(&"a".repeat(200)).len(), 123);
        assert_eq!(fit_reason(&"é".repeat(100)).len(), 122);
    }
}
