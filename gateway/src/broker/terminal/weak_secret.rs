//! What the secret of gateway and bridge must not be: the bridge refuses the same ones.

use mymt5_chassis::secrets::Secret;

/// Fewest bytes: anyone who can listen or connect may guess at it.
const SHORTEST: usize = 32;
/// Fewest of its steps, from one byte to the next, that are new and no walk: one more than those of
/// the strongest in the list of weak ones, and so few that chance seldom misses them in 32 digits.
const STEPS: usize = 14;
/// A keyboard's rows and columns. A walk goes along them, or along the alphabet, in either direction.
const WALKS: &[u8] = b"1234567890 qwertyuiop asdfghjkl zxcvbnm 1qaz 2wsx 3edc 4rfv 5tgb 6yhn";

/// Why a secret protects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WeakSecret {
    /// It has too few bytes.
    #[error("is shorter than {SHORTEST} characters")]
    Short,
    /// It repeats itself, or follows the alphabet or a keyboard.
    #[error("is easily guessed, it repeats itself or walks over the keyboard")]
    Guessable,
}

impl WeakSecret {
    /// What is wrong with a secret, if anything.
    pub(crate) fn of(secret: &Secret) -> Option<Self> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < SHORTEST {
            return Some(Self::Short);
        }
        // Nothing of the secret is copied, where a set of its steps would outlive it.
        let is_new = |at: usize, step: &[u8]| {
            let mut before = bytes.windows(2).take(at);
            !before.any(|earlier| earlier.eq_ignore_ascii_case(step))
        };
        let steps = bytes.windows(2).enumerate();
        let steps = steps.filter(|(at, step)| !is_walk(step) && is_new(*at, step));
        (steps.count() < STEPS).then_some(Self::Guessable)
    }
}

fn is_walk(step: &[u8]) -> bool {
    let &[from, to] = step else {
        return true;
    };
    let (from, to) = (from.to_ascii_lowercase(), to.to_ascii_lowercase());
    let is_way = |walk: &[u8]| walk == [from, to] || walk == [to, from];
    from.abs_diff(to) <= 1 || WALKS.windows(2).any(is_way)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list that the bridge's tests read, too.
    const WEAK: &str = include_str!("../../../bridge/tests/weak_secrets.txt");

    #[test]
    fn what_is_easily_guessed_is_refused() {
        let repeated = ('!'..='~').map(|one| one.to_string().repeat(64));
        for weak in WEAK.lines().map(str::to_owned).chain(repeated) {
            assert!(
                WeakSecret::of(&Secret::new(weak.clone())).is_some(),
                "{weak}"
            );
        }
        assert_eq!(WeakSecret::of(&Secret::new("")), Some(WeakSecret::Short));
    }

    #[test]
    fn what_chance_makes_is_taken() {
        for _ in 0..1_000 {
            let made = hex::encode(rand::random::<[u8; 32]>());
            assert_eq!(WeakSecret::of(&Secret::new(made.clone())), None, "{made}");
        }
        // Few ways from one digit to the next are no walk: of the shortest not quite all are taken.
        let taken = |make: fn() -> String| {
            let made = (0..1_000).map(|_| Secret::new(make()));
            made.filter(|made| WeakSecret::of(made).is_none()).count()
        };
        let hex = taken(|| hex::encode(rand::random::<[u8; 16]>()));
        let digits = taken(|| format!("{:032}", rand::random::<u128>() % 10_u128.pow(32)));
        assert!(hex >= 990 && digits >= 950, "{hex} {digits}");
    }
}
