//! Decides how much memory this machine has, as its system says; a container's limit included.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In all.
    pub total: u64,
    /// That a process could still have.
    pub free: u64,
}

impl Memory {
    /// Of this machine now; `None` where the system does not say.
    pub fn now() -> Option<Memory> {
        let ram = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(ram);
        let machine = Memory { total: system.total_memory(), free: system.available_memory() };
        if machine.total == 0 {
            return None;
        }
        // What a container holds of files is given back when it is needed; it is counted as taken, to be safe.
        let container = system.cgroup_limits().filter(|limits| limits.total_memory < machine.total);
        Some(container.map_or(machine, |limits| Memory {
            total: limits.total_memory,
            free: limits.free_memory.min(machine.free),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known_and_less_is_free_than_there_is() {
        let memory = Memory::now().expect("this system says");
        assert!(0 < memory.free && memory.free <= memory.total, "{memory:?}");
    }
}
