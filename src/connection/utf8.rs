//! Whether a text that comes in pieces is UTF-8, told at the first byte that can belong to no UTF-8 text any more
//! (RFC 6455, section 8.1). Pure.

/// The bytes of the longest character.
const CHARACTER_BYTES_MAX: usize = 4;

/// The state between two pieces: the beginning of a character whose rest has not come yet.
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    begun: [u8; CHARACTER_BYTES_MAX],
    begun_bytes: usize,
}

/// The text is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotUtf8;

impl Utf8Check {
    /// Takes the next piece.
    ///
    /// # Errors
    /// Nothing that may come could make it UTF-8.
    pub(super) fn follow(&mut self, piece: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = piece;
        while self.begun_bytes > 0
            && let Some((&byte, after)) = rest.split_first()
        {
            rest = after;
            self.begin(&[byte])?;
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            // The piece ends within a character.
            Err(error) if error.error_len().is_none() => {
                self.begin(rest.split_at(error.valid_up_to()).1)
            }
            Err(_) => Err(NotUtf8),
        }
    }

    /// The text is over.
    ///
    /// # Errors
    /// It ends within a character.
    pub(super) fn finish(&mut self) -> Result<(), NotUtf8> {
        match std::mem::take(self).begun_bytes {
            0 => Ok(()),
            _ => Err(NotUtf8),
        }
    }

    /// Adds to the character that has begun; whole, it is forgotten.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        let end = self.begun_bytes + bytes.len();
        let place = self.begun.get_mut(self.begun_bytes..end).ok_or(NotUtf8)?;
        place.copy_from_slice(bytes);
        self.begun_bytes = match std::str::from_utf8(self.begun.split_at(end).0) {
            Ok(_) => 0,
            Err(error) if error.error_len().is_none() => end,
            Err(_) => return Err(NotUtf8),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], cuts: &[usize]) -> Result<(), NotUtf8> {
        let mut check = Utf8Check::default();
        let mut rest = bytes;
        for &cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            check.follow(piece)?;
            rest = after;
        }
        check.follow(rest)?;
        check.finish()
    }

    #[test]
    fn the_first_impossible_byte_is_found_before_the_character_is_whole() {
        for (good, bad) in [
            (&b"a\xce\xba"[..], &b"\xff"[..]),
            // Too long a form of a short character.
            (b"", b"\xc0"),
            (b"\xe0", b"\x80"),
            (b"\xf0", b"\x80"),
            // A surrogate, and what is beyond Unicode.
            (b"\xed", b"\xa0"),
            (b"\xf4", b"\x90"),
            (b"", b"\xf5"),
            // Nothing that could be continued, and no continuation.
            (b"", b"\x80"),
            (b"\xe2\x82", b"a"),
        ] {
            let mut check = Utf8Check::default();
            assert_eq!(check.follow(good), Ok(()), "{good:x?}");
            assert_eq!(check.follow(bad), Err(NotUtf8), "{good:x?} {bad:x?}");
        }
    }

    #[test]
    fn a_text_may_not_end_within_a_character_and_the_next_begins_afresh() {
        let mut check = Utf8Check::default();
        assert_eq!(check.follow(b"\xe2\x82"), Ok(()));
        assert_eq!(check.finish(), Err(NotUtf8));
        assert_eq!(check.follow(b"a"), Ok(()));
        assert_eq!(check.finish(), Ok(()));
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_whole_says(
            bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            cuts in proptest::collection::vec(0_usize..4, 0..40),
        ) {
            prop_assert_eq!(check(&bytes, &cuts).is_ok(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
