//! What the user sees: bars on a terminal, plain lines elsewhere, JSON for programs.

mod bars;
pub(crate) mod failure;
mod json;
mod layout;
mod plain;
mod print;
pub(crate) mod read_progress;
mod screen;
pub(crate) mod text;
mod view;

pub(crate) use self::print::{
    end_line, failure, is_lost, line, note, object, print, save_when_lost,
};
pub(crate) use self::screen::Screen;
pub(crate) use self::view::View;
