mod behaviour;
mod questions;
mod world;
