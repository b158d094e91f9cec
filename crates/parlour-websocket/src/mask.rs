//! The XOR mask of client frames (RFC 6455 section 5.3).

/// XORs `bytes` with `mask`, and returns the mask to go on with at the byte after the last.
///
/// Applying it twice with the same mask restores the bytes.
#[must_use = "a payload that goes on needs the rotated mask"]
pub fn apply(bytes: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    let mut next = mask;
    next.rotate_left(bytes.len() % 4);
    next
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn every_split_gives_what_the_rfc_formula_gives() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..40_u8 {
            let plain: Vec<u8> = (0..len).collect();
            let expected: Vec<u8> =
                plain.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
            for cut in 0..=plain.len() {
                let mut bytes = plain.clone();
                let (left, right) = bytes.split_at_mut(cut);
                let next = apply(left, mask);
                let _ = apply(right, next);
                assert_eq!(bytes, expected, "{len} bytes cut at {cut}");
            }
        }
    }
}
