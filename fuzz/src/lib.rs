//! What every fuzz target of a dialect asserts.

use parlour_core::{ConversationId, UserId, limits::Limits};
use parlour_wire::{Caller, Dialect, Scene, Settings};

/// Any text gives at least one request and never a panic, and a refusal is one frame of good JSON.
///
/// # Panics
/// When that does not hold.
pub fn decode(dialect: &dyn Dialect, text: &str) {
    let (limits, mut requests) = (Limits::default(), Vec::new());
    let me = UserId::new("1").expect("a user id");
    let caller = Caller { user: &me, scope: Some(ConversationId(1)), limits: &limits };
    let _ = dialect.claims(text);
    dialect.decode(text, &caller, &mut requests);
    assert!(!requests.is_empty() && requests.len() <= limits.batch_commands);
    let settings = Settings::default();
    let scene = Scene { place: None, read: &[], settings: &settings };
    for request in requests {
        if let Err(error) = request.command {
            let mut out: Vec<Vec<u8>> = Vec::new();
            dialect.reply(&request.tag, &Err(error), &scene, &mut out);
            let good = |frame: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(frame).is_ok();
            assert!(out.len() == 1 && out.iter().all(good));
        }
    }
}
