//! Clients whose frames are small on the wire and large behind it.

use serde_json::json;

use super::{
    ON,
    client::{Compressing, OFFER, compressed},
};
use crate::gateway::server::Server;

/// A command with so many spaces behind it, compressed: about a thousandth of its size.
fn padded(id: u32, spaces: usize) -> Vec<u8> {
    compressed(&format!("{}{}", json!({ "type": "ping", "id": id }), " ".repeat(spaces)))
}

#[test]
fn c12_a_bomb_is_refused_by_what_it_inflates_to() {
    let server = Server::with(&[ON]);
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    let bomb = padded(1, 16 << 20);
    assert!(bomb.len() < 20_000);
    client.write(&bomb);
    assert_eq!(client.end(), 1009);

    // Nobody needs to be signed in to try.
    let mut client = Compressing::open_as_nobody(&server, "/api/v1/ws", OFFER);
    client.write(&bomb);
    assert_eq!(client.end(), 1009);
}

#[test]
fn c12_many_small_ones_at_once_are_answered_one_by_one() {
    let server = Server::with(&[ON]);
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    let all: Vec<u8> = (1..=300).flat_map(|id| padded(id, 60_000)).collect();
    // One read of the server takes them all.
    assert!(all.len() < 60_000, "{}", all.len());
    client.write(&all);
    for id in 1..=300 {
        assert_eq!(client.wait("reply").json()["id"], id);
    }
}

#[test]
fn c12_at_the_limit_it_is_a_message_and_above_it_is_not() {
    let server = Server::with(&[ON, ("PARLOUR_LIMITS_FRAME_BYTES", "2000")]);
    let command = json!({ "type": "ping", "id": 1 }).to_string().len();
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    client.write(&padded(1, 2000 - command));
    assert_eq!(client.wait("reply").json()["id"], 1);
    client.write(&padded(2, 2001 - command));
    assert_eq!(client.end(), 1009);
}

#[test]
fn what_is_no_deflate_stream_ends_the_socket_and_no_other() {
    let server = Server::with(&[ON]);
    let mut neighbour = Compressing::live(&server, "2");
    let mut client = Compressing::open(&server, "/api/v1/ws", "1", OFFER);
    let mut broken = padded(1, 500);
    let end = broken.len() - 1;
    broken.truncate(end);
    // The last byte of the payload, unmasked, is no end of a block.
    broken.push(0xff);
    client.write(&broken);
    assert_eq!(client.end(), 1007);
    neighbour.send_compressed(&json!({ "type": "ping", "id": 9 }));
    assert_eq!(neighbour.wait("reply").json()["id"], 9);
}
