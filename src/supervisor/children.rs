//! Services by their leaders.

use crate::process::{Pid, ServiceId};

/// The leaders that are not reaped, in order of pid, each with its service.
#[derive(Clone, Debug)]
pub(super) struct Children(Vec<(Pid, ServiceId)>);

impl Children {
    /// Room for this many services.
    pub(super) fn new(services: usize) -> Children {
        Children(Vec::with_capacity(services))
    }

    pub(super) fn add(&mut self, pid: Pid, id: ServiceId) {
        if let Err(place) = self.0.binary_search_by_key(&pid, |(pid, _)| *pid) {
            self.0.insert(place, (pid, id));
        }
    }

    /// Treats this pid as any other process from now on.
    pub(super) fn forget(&mut self, pid: Pid) {
        if let Ok(place) = self.0.binary_search_by_key(&pid, |(pid, _)| *pid) {
            self.0.remove(place);
        }
    }

    pub(super) fn service_of(&self, pid: Pid) -> Option<ServiceId> {
        let place = self.0.binary_search_by_key(&pid, |(pid, _)| *pid).ok()?;
        self.0.get(place).map(|(_, id)| *id)
    }
}
