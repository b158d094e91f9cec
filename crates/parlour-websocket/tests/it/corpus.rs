//! The seeds of the fuzz target, as they are and in many mutations, without a fuzzer.

use std::path::PathBuf;

use crate::reference::check;

const MUTATIONS: usize = 20_000;

/// A linear congruential generator: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        let telling =
            [0, 1, 2, 8, 9, 10, 0x40, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x88, 0xc3, 0xfe, 0xff];
        match self.below(2) {
            0 => telling[self.below(telling.len())],
            _ => u8::try_from(self.below(256)).unwrap_or_default(),
        }
    }
}

fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/websocket_decoder");
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() > 10, "the corpus is missing");
    seeds
}

/// Prints the input if the check fails.
struct Shown<'a>(&'a [u8], &'a str);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: {:02x?}", self.1, self.0);
        }
    }
}

fn check_or_show(input: &[u8], name: &str) {
    let _shown = Shown(input, name);
    check(input);
}

#[test]
fn seeds_hold() {
    for (path, seed) in seeds() {
        for settings in 0..8 {
            let mut input = seed.clone();
            input[0] = settings;
            check_or_show(&input, &path.display().to_string());
        }
    }
}

#[test]
fn mutated_seeds_hold() {
    let seeds = seeds();
    let mut random = Random(0x70_61_72_6c_6f_75_72);
    for _ in 0..MUTATIONS {
        let mut input = seeds[random.below(seeds.len())].1.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(input.len());
            match random.below(7) {
                0 => input[at] ^= 1 << random.below(8),
                1 | 2 => input[at] = random.byte(),
                3 => input.insert(at, random.byte()),
                4 if input.len() > 2 => drop(input.remove(at)),
                5 => input.truncate(at.max(2)),
                _ => {
                    let other = &seeds[random.below(seeds.len())].1;
                    input.truncate(at.max(2));
                    input.extend_from_slice(&other[random.below(other.len())..]);
                }
            }
        }
        check_or_show(&input, "a mutation");
    }
}
