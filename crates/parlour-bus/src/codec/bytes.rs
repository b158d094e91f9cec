//! Reading and writing the few shapes of the envelope: numbers of variable length, texts, counted bytes.

use parlour_core::UserId;

use super::Broken;

/// What is left to read. Every method takes from its beginning, or says that it does not have it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follows. Ten bytes at most.
    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Broken);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    /// A count of things of which each takes `least` bytes: no more than there can be.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, Broken> {
        let count = usize::try_from(self.number()?).map_err(|_| Broken)?;
        if count > self.0.len() / least {
            return Err(Broken);
        }
        Ok(count)
    }

    /// Bytes with their length before them.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.count(1)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn user(&mut self) -> Result<UserId, Broken> {
        let text = std::str::from_utf8(self.counted()?).map_err(|_| Broken)?;
        UserId::new(text).map_err(|_| Broken)
    }
}

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, (1 << 53) - 1, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut reader = Reader(&out);
            assert_eq!(reader.number(), Ok(number));
            assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn numbers_that_are_too_long_are_broken() {
        assert_eq!(Reader(&[0xff; 20]).number(), Err(Broken));
        assert_eq!(Reader(&[0x80; 3]).number(), Err(Broken));
        let above = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader(&above).number(), Err(Broken));
    }
}
