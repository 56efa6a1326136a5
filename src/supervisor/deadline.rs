//! The deadlines of all services, the earliest first.
//!
//! A heap that knows where each service stands in it: setting one costs a few steps even with
//! thousands of services, asking for the earliest costs none, and nothing is allocated after
//! the start.

use crate::process::ServiceId;
use crate::time::Instant;

/// At most one deadline for each service.
#[derive(Clone, Debug)]
pub(super) struct Deadlines {
    /// A binary heap of services, the earliest deadline at the front.
    heap: Vec<ServiceId>,
    /// By service: its deadline and its place in the heap.
    entries: Vec<Option<(Instant, usize)>>,
}

impl Deadlines {
    /// No deadlines yet, and room for this many services.
    pub(super) fn new(services: usize) -> Self {
        Deadlines { heap: Vec::with_capacity(services), entries: vec![None; services] }
    }

    /// Sets, moves or removes the deadline of a service.
    pub(super) fn set(&mut self, id: ServiceId, at: Option<Instant>) {
        match (self.entries[id.index()], at) {
            (None, None) => {}
            (Some((old, _)), Some(at)) if old == at => {}
            (Some((_, place)), Some(at)) => {
                self.entries[id.index()] = Some((at, place));
                self.settle(place);
            }
            (None, Some(at)) => {
                let place = self.heap.len();
                self.heap.push(id);
                self.entries[id.index()] = Some((at, place));
                self.settle(place);
            }
            (Some((_, place)), None) => {
                self.entries[id.index()] = None;
                self.heap.swap_remove(place);
                if let Some(moved) = self.heap.get(place).copied() {
                    self.put(place, moved);
                    self.settle(place);
                }
            }
        }
    }

    /// The earliest of all deadlines.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.heap.first().map(|id| self.at(*id))
    }

    /// A service whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<ServiceId> {
        self.heap.first().copied().filter(|id| self.at(*id) <= now)
    }

    /// Moves the service at this place up or down until the heap is one again.
    fn settle(&mut self, mut place: usize) {
        let id = self.heap[place];
        let at = self.at(id);
        while place > 0 && at < self.at(self.heap[(place - 1) / 2]) {
            self.put(place, self.heap[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        loop {
            let left = 2 * place + 1;
            let below = self.heap.iter().copied().enumerate().skip(left).take(2);
            let Some((child, earliest)) = below.min_by_key(|(_, id)| self.at(*id)) else { break };
            if at <= self.at(earliest) {
                break;
            }
            self.put(place, earliest);
            place = child;
        }
        self.put(place, id);
    }

    fn put(&mut self, place: usize, id: ServiceId) {
        self.heap[place] = id;
        if let Some((_, at_place)) = &mut self.entries[id.index()] {
            *at_place = place;
        }
    }

    fn at(&self, id: ServiceId) -> Instant {
        self.entries[id.index()].map_or(Instant::from_nanos(u64::MAX), |(at, _)| at)
    }
}

/// The earlier of two deadlines, of which there may be none.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the heap must agree with: a plain list, searched from end to end.
    fn earliest_of(plain: &[Option<Instant>]) -> Option<Instant> {
        plain.iter().flatten().min().copied()
    }

    #[test]
    fn the_earliest_is_that_of_a_plain_list_after_any_changes() {
        let mut seed = 1_u64;
        let mut next = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let mut plain = vec![None; 20];
        let mut deadlines = Deadlines::new(plain.len());
        for _ in 0..20_000 {
            let index = next() % 20;
            let at = (!next().is_multiple_of(3)).then(|| Instant::from_nanos(next() % 50));
            plain[index as usize] = at;
            deadlines.set(ServiceId(index as u32), at);
            assert_eq!(deadlines.earliest(), earliest_of(&plain));
            let now = Instant::from_nanos(next() % 50);
            match deadlines.due(now) {
                Some(id) => assert!(plain[id.index()].is_some_and(|at| at <= now)),
                None => assert!(plain.iter().flatten().all(|at| *at > now)),
            }
        }
    }
}
