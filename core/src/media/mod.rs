//! Answers over HTTP to players, which request ranges of audio and video files: status and fields,
//! without the bytes. A tab's worker answers the page's own media elements with it, a bridge those
//! players that run beside it.

mod head;
mod media_type;
mod range;

pub use head::{Head, POLICY};
pub use media_type::{MAX_MEDIA_TYPE, MediaType};
