//! A bridge that says what a test makes it say.

mod bridge;
mod garbage;
mod impostor;
mod pushes;
mod sends;
mod tls;
