//! A bridge that says what a test makes it say.
