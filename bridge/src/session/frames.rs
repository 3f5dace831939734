//! The boundaries of the frames of a WebSocket (RFC 6455, 5.2), determined from the bytes.
//!
//! The library only reports whole messages; it reports neither a flood of empty fragments nor a
//! message that never ends.

/// The maximum length of a client's frame header, including its mask.
const MAX_HEAD: usize = 14;

/// Follows the frames of one client, whose payloads are masked.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; MAX_HEAD],
    /// Bytes of `head` that have been read.
    head_read: usize,
    /// Bytes of the frame's payload that have not been read.
    left: u64,
    /// Bytes of the present frame's payload that have been read.
    frame: usize,
    /// Bytes of the earlier fragments of an incomplete message.
    fragments: usize,
    /// Whether a message has started whose last fragment has not arrived.
    is_fragmented: bool,
}

/// The frames in some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FramesRead {
    /// The number of frames that started.
    pub(crate) frames: u32,
    /// Whether a message, or a control frame outside one, was completed.
    pub(crate) complete: bool,
}

impl Frames {
    /// Processes the bytes that were received next.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> FramesRead {
        let mut read_so_far = FramesRead::default();
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let length =
                    usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= length as u64;
                self.frame += length;
                bytes = &bytes[length..];
            } else {
                read_so_far.frames += u32::from(self.head_read == 0);
                self.head[self.head_read] = *first;
                self.head_read += 1;
                bytes = rest;
                if self.head_read < self.head_length() {
                    continue;
                }
                self.left = self.length();
            }
            if self.left == 0 {
                read_so_far.complete |= self.end();
            }
        }
        read_so_far
    }

    /// Bytes of the present frame's payload that have not been read.
    pub(crate) const fn payload_left(&self) -> u64 {
        self.left
    }

    /// Bytes of an incomplete message, which the library keeps.
    pub(crate) const fn unfinished(&self) -> usize {
        self.frame + self.fragments
    }

    /// Whether a frame or a message has started and is not complete.
    pub(crate) const fn is_unfinished(&self) -> bool {
        self.head_read > 0 || self.is_fragmented
    }

    /// Length of the head, as far as it is known from what was read of it.
    fn head_length(&self) -> usize {
        let length = match self.head[1] & 0x7f {
            _ if self.head_read < 2 => 0,
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + 4
    }

    /// Bytes of the payload, once the head is complete.
    fn length(&self) -> u64 {
        match (self.head[1] & 0x7f, &self.head) {
            (126, [_, _, high, low, ..]) => u16::from_be_bytes([*high, *low]).into(),
            (127, [_, _, a, b, c, d, e, f, g, h, ..]) => {
                u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])
            }
            (short, _) => short.into(),
        }
    }

    /// The frame is complete. Returns whether no message is unfinished.
    fn end(&mut self) -> bool {
        let (is_last, is_control) = (self.head[0] & 0x80 > 0, self.head[0] & 8 > 0);
        if !is_control {
            self.is_fragmented = !is_last;
            self.fragments = if is_last {
                0
            } else {
                self.fragments + self.frame
            };
        }
        (self.head_read, self.frame) = (0, 0);
        !self.is_fragmented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < 126 => bytes.push(0x80 | short),
            (_, Ok(long)) => bytes.extend([&[0x80 | 126][..], &long.to_be_bytes()].concat()),
            _ => bytes.extend([&[0x80 | 127][..], &(payload as u64).to_be_bytes()].concat()),
        }
        bytes.extend([7; 4]);
        bytes.resize(bytes.len() + payload, 0xff);
        bytes
    }

    #[test]
    fn frames_of_every_length_are_counted_wherever_their_bytes_are_cut() {
        let sizes = [0, 1, 125, 126, 300, 65_535, 65_536];
        let stream: Vec<u8> = sizes.iter().flat_map(|size| frame(0x82, *size)).collect();
        for step in [1, 2, 3, 7, 1000, stream.len()] {
            let mut frames = Frames::default();
            let counted: u32 = stream
                .chunks(step)
                .map(|bytes| frames.read(bytes).frames)
                .sum();
            assert_eq!(
                (
                    counted as usize,
                    frames.is_unfinished(),
                    frames.unfinished()
                ),
                (sizes.len(), false, 0),
                "{step} bytes at a time"
            );
        }
    }

    #[test]
    fn a_message_is_unfinished_until_its_last_fragment_whatever_comes_between() {
        let mut frames = Frames::default();
        assert_eq!(
            frames.read(&frame(0x02, 100)),
            FramesRead {
                frames: 1,
                complete: false
            }
        );
        // A ping, and fragments without anything in them.
        assert_eq!(
            frames.read(&[frame(0x89, 5), frame(0x00, 0), frame(0x00, 0)].concat()),
            FramesRead {
                frames: 3,
                complete: false
            }
        );
        assert_eq!((frames.is_unfinished(), frames.unfinished()), (true, 100));
        let last = frame(0x80, 50);
        frames.read(&last[..20]);
        assert_eq!(frames.unfinished(), 114);
        assert!(frames.read(&last[20..]).complete);
        assert_eq!((frames.is_unfinished(), frames.unfinished()), (false, 0));
        assert!(frames.read(&frame(0x89, 5)).complete);
    }
}
