//! A bridge that says what a test makes it say.

mod bridge;
mod garbage;
mod impostor;
mod pushes;
mod reads;
mod sends;
mod slow;
mod symbols;
mod tls;
