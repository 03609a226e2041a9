//! The scans that masking is made of. Each tells how far it looked, which tests add up: a text
//! twice as long must not be looked at more than twice as often.

/// How many bytes from there on pass.
pub(super) fn ahead(bytes: &[u8], from: usize, passes: impl Fn(u8) -> bool) -> usize {
    let length = bytes[from..].iter().take_while(|b| passes(**b)).count();
    looked_at(length + 1);
    length
}

/// How many bytes right before there pass.
pub(super) fn behind(bytes: &[u8], to: usize, passes: impl Fn(u8) -> bool) -> usize {
    let before = bytes[..to].iter().rev();
    let length = before.take_while(|b| passes(**b)).count();
    looked_at(length + 1);
    length
}

/// The text without its last bytes that pass, which must be ASCII.
pub(super) fn trimmed(text: &str, passes: impl Fn(u8) -> bool) -> &str {
    &text[..text.len() - behind(text.as_bytes(), text.len(), passes)]
}

/// Where the text stands next, from there on.
pub(super) fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    let at = text[from..].find(what).map(|at| from + at);
    looked_at(at.unwrap_or(text.len()) - from + 1);
    at
}

/// Where the next such letter stands, from there on, or the end of the text.
pub(super) fn until(text: &str, from: usize, is_end: impl Fn(char) -> bool) -> usize {
    let end = text[from..].find(is_end);
    let end = end.map_or(text.len(), |at| from + at);
    looked_at(end - from + 1);
    end
}

#[cfg(test)]
thread_local! {
    /// Bytes that this thread's scans looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts what a scan looked at; nothing but in tests.
pub(super) fn looked_at(bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.with(|sum| sum.set(sum.get() + bytes));
    #[cfg(not(test))]
    let _ = bytes;
}
