//! Random streams of frames: the same in all pieces, and the same as tungstenite.

use parlour_websocket::{Decoder, Limits};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use crate::reference::compare_complete;
use crate::support::{decode, raw, unmasked};

const LIMITS: Limits = Limits { max_message_bytes: 700, max_fragments: 1000 };

/// The first byte and the payload of a frame.
type RawFrame = (u8, Vec<u8>);

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "\\PC{0,40}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..20),
        2 => (prop_oneof![Just(125_usize), Just(126), Just(127), Just(699), Just(700), Just(701)])
            .prop_map(|len| vec![b'x'; len]),
    ]
}

fn control() -> impl Strategy<Value = RawFrame> {
    (prop_oneof![Just(0x89_u8), Just(0x8a)], vec(any::<u8>(), 0..=125))
}

/// A message in one to four fragments, with control frames between them.
fn message() -> impl Strategy<Value = Vec<RawFrame>> {
    let cuts = vec((any::<proptest::sample::Index>(), proptest::option::of(control())), 0..4);
    (any::<bool>(), payload(), cuts).prop_map(|(text, payload, cuts)| {
        let mut frames = Vec::new();
        let mut rest = &payload[..];
        let mut opcode = if text { 1 } else { 2 };
        for (cut, control) in cuts {
            let (piece, after) = rest.split_at(cut.index(rest.len() + 1));
            frames.push((opcode, piece.to_vec()));
            frames.extend(control);
            rest = after;
            opcode = 0;
        }
        frames.push((0x80 | opcode, rest.to_vec()));
        frames
    })
}

fn close() -> impl Strategy<Value = RawFrame> {
    let code = prop_oneof![3 => 995..1020_u16, 1 => 2990..5010_u16, 1 => any::<u16>()];
    let body = (code, payload()).prop_map(|(code, reason)| {
        let mut body = code.to_be_bytes().to_vec();
        body.extend(reason);
        body.truncate(125);
        body
    });
    (Just(0x88), prop_oneof![body, vec(any::<u8>(), 0..3)])
}

fn frames() -> impl Strategy<Value = Vec<RawFrame>> {
    let one = prop_oneof![
        8 => message(),
        3 => control().prop_map(|frame| vec![frame]),
        1 => close().prop_map(|frame| vec![frame]),
        1 => (any::<u8>(), payload()).prop_map(|frame| vec![frame]),
    ];
    vec(one, 1..8).prop_map(|groups| groups.concat())
}

proptest! {
    #[test]
    fn frames_mean_what_tungstenite_reads(
        frames in frames(),
        client in proptest::bool::weighted(0.3),
        odd_mask in proptest::option::weighted(0.05, any::<proptest::sample::Index>()),
        cuts in vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let odd_mask = odd_mask.map(|index| index.index(frames.len()));
        let stream: Vec<u8> = frames
            .iter()
            .enumerate()
            .flat_map(|(at, (first, payload))| {
                let mask = client == (odd_mask == Some(at));
                if mask { raw(*first, payload) } else { unmasked(*first, payload) }
            })
            .collect();
        let decoder = || if client { Decoder::client(LIMITS) } else { Decoder::server(LIMITS) };
        let outcome = decode(decoder(), [&stream[..]]);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(stream.len());
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let pieces = starts.zip(&ends).map(|(start, end)| &stream[start..*end]);
        assert_eq!(decode(decoder(), pieces), outcome);
        compare_complete(client, LIMITS, &stream, &outcome);
    }
}
