//! Places, and who loses one where another owner comes: a newcomer always finds room, at the cost
//! of those who hold most.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of one owner: one more takes the place of another of its own.
    pub each: usize,
    /// In total, from which on a newcomer may cost a place, likelier the nearer `all` is.
    pub early: usize,
    /// In total, from which on every newcomer costs a place.
    pub all: usize,
}

/// The places of one kind; clones share them.
#[derive(Clone, Debug)]
pub struct Places<O>(Arc<Mutex<Taken<O>>>);

#[derive(Debug)]
struct Taken<O> {
    bounds: Bounds,
    /// By number: the owner, and what tells it that the place is lost.
    places: BTreeMap<u64, (O, CancellationToken)>,
    next: u64,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub struct Place<O> {
    places: Places<O>,
    number: u64,
    lost: CancellationToken,
}

impl<O: Clone + Eq + Hash> Places<O> {
    /// All free.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Taken {
            bounds,
            places: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Takes a place. Where there are too many, one drawn by lot is lost.
    #[must_use]
    pub fn take(&self, owner: O) -> Place<O> {
        self.take_by(owner, random_below)
    }

    /// The same with the lots of `draw`, which draws a number below the one it is given.
    fn take_by(&self, owner: O, draw: impl FnMut(usize) -> usize) -> Place<O> {
        let mut taken = self.lock();
        if let Some(loser) = taken.loser(&owner, draw)
            && let Some((_, lost)) = taken.places.remove(&loser)
        {
            lost.cancel();
        }
        let number = taken.next;
        taken.next += 1;
        let lost = CancellationToken::new();
        taken.places.insert(number, (owner, lost.clone()));
        Place {
            places: self.clone(),
            number,
            lost,
        }
    }
}

impl<O> Places<O> {
    fn lock(&self) -> MutexGuard<'_, Taken<O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Clone + Eq + Hash> Taken<O> {
    /// Who must go if that owner takes one more: one of its own beyond its share, else one of those
    /// that hold most, so that many places do not keep others out.
    fn loser(&self, owner: &O, mut draw: impl FnMut(usize) -> usize) -> Option<u64> {
        let Bounds { each, early, all } = self.bounds;
        let mut held = HashMap::<&O, usize>::new();
        for (of, _) in self.places.values() {
            *held.entry(of).or_default() += 1;
        }
        let over_share = held.get(owner).is_some_and(|held| *held >= each);
        let count = self.places.len();
        let crowded = count >= all || count > early && draw(all - early) < count - early;
        if !over_share && !crowded {
            return None;
        }
        let most = held.values().max().copied();
        let loses = |of: &O| {
            if over_share {
                of == owner
            } else {
                held.get(of).copied() == most
            }
        };
        let losers: Vec<_> = self
            .places
            .iter()
            .filter(|(_, (of, _))| loses(of))
            .map(|(number, _)| *number)
            .collect();
        losers.get(draw(losers.len().max(1))).copied()
    }
}

impl<O> Place<O> {
    /// Waits until another took the place.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl<O> Drop for Place<O> {
    fn drop(&mut self) {
        self.places.lock().places.remove(&self.number);
    }
}

/// Who owns a connection before it proves anything: an IPv4 address, or the /64 of an IPv6 one, all
/// of which one host has.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(host) => Ipv6Addr::from_bits(host.to_bits() & !u128::from(u64::MAX)).into(),
        host => host,
    }
}

fn random_below(below: usize) -> usize {
    (uuid::Uuid::new_v4().as_u128() % below as u128) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::iter::repeat_with;

    const BOUNDS: Bounds = Bounds {
        each: 4,
        early: 8,
        all: 16,
    };

    fn is_lost(place: &Place<&str>) -> bool {
        place.lost.is_cancelled()
    }

    fn lost(places: &[Place<&str>]) -> usize {
        places.iter().filter(|place| is_lost(place)).count()
    }

    fn count(places: &Places<&'static str>) -> usize {
        places.lock().places.len()
    }

    #[test]
    fn one_owner_beyond_its_share_loses_its_own() {
        let places = Places::new(BOUNDS);
        let other = places.take("other");
        let own: Vec<_> = repeat_with(|| places.take("own")).take(100).collect();
        assert_eq!((lost(&own), is_lost(&other)), (96, false));
        // A lost place that is dropped gives none back a second time.
        drop(own);
        assert_eq!(count(&places), 1);
    }

    #[test]
    fn the_last_to_come_always_has_a_place_and_the_bounds_hold() {
        let places = Places::new(BOUNDS);
        let mut all = Vec::new();
        for round in 0..200 {
            let owner = ["a", "b", "c", "d", "e", "f", "g"][round % 7];
            all.push(places.take(owner));
            assert!(!is_lost(all.last().unwrap()));
            assert!(count(&places) <= BOUNDS.all);
        }
        assert_eq!(all.len() - lost(&all), count(&places));
    }

    #[test]
    fn a_crowd_costs_those_that_hold_most() {
        let bounds = Bounds {
            early: 16,
            ..BOUNDS
        };
        let places = Places::new(bounds);
        let names = ["a", "b", "c"];
        let crowd: Vec<_> = names
            .into_iter()
            .flat_map(|name| {
                repeat_with(|| places.take(name))
                    .take(4)
                    .collect::<Vec<_>>()
            })
            .collect();
        let few = ["k", "l", "m", "n"].map(|name| places.take(name));
        assert_eq!((lost(&crowd), lost(&few)), (0, 0));
        let late = ["o", "p", "q"].map(|name| places.take(name));
        assert_eq!((lost(&crowd), lost(&few), lost(&late)), (3, 0, 0));
    }

    #[test]
    fn near_the_bound_a_place_is_lost_the_likelier_the_nearer_it_is() {
        let named = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
        ];
        let places = Places::new(BOUNDS);
        // The highest lot spares everybody as long as it can.
        let highest = |below: usize| below - 1;
        let held = named.map(|name| places.take_by(name, highest));
        assert_eq!(lost(&held), 0);
        // 13 are there, 5 of the 8 beyond `early`: lots below 5 cost a place.
        let spared = places.take_by("n", |below| if below == 8 { 5 } else { 0 });
        assert_eq!(lost(&held), 0);
        drop(spared);
        let first = places.take_by("n", |below| if below == 8 { 4 } else { 0 });
        assert!(is_lost(&held[0]) && lost(&held) == 1 && !is_lost(&first));
        // The lowest lot costs nobody a place while there is room.
        drop((held, first));
        let few = ["a", "b", "c"].map(|name| places.take_by(name, |_| 0));
        assert_eq!(lost(&few), 0);
    }

    #[test]
    fn one_host_is_one_owner() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
