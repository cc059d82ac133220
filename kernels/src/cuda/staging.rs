//! Decides how bytes come to the GPU and back: through pinned memory, which the GPU copies by itself, in portions, so that
//! one is on its way while the host fills or empties another.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{CudaContext, DriverError, result, sys};

use super::STREAM;
use crate::device::PORTION;
use crate::device::array::copy;

/// Portions of a slot.
const PORTIONS: usize = 4;
/// Slots at hand before one is used anew; where threads have others in hand, there are more.
const SLOTS: usize = 2;
/// Portions begin at multiples of this.
const ALIGNMENT: usize = 256;

/// Pinned memory that portions lie in, one after the other.
struct Slot {
    memory: *mut u8,
    used: usize,
    /// Comes when all that was copied from or to it is copied.
    done: sys::CUevent,
    context: Arc<CudaContext>,
}

// SAFETY: the memory is this value's alone, and the driver's handles may be used from any thread.
unsafe impl Send for Slot {}

impl Slot {
    const BYTES: usize = PORTIONS * PORTION;

    fn new(context: &Arc<CudaContext>) -> Result<Slot, DriverError> {
        let done = result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
        // SAFETY: no flags; freed when dropped.
        match unsafe { result::malloc_host(Self::BYTES, 0) } {
            Ok(memory) => {
                let memory = memory.cast::<u8>();
                // SAFETY: just allocated; of any contents until now.
                unsafe { memory.write_bytes(0, Self::BYTES) };
                Ok(Slot { memory, used: 0, done, context: context.clone() })
            }
            Err(error) => {
                // SAFETY: just created.
                let _ = unsafe { result::event::destroy(done) };
                Err(error)
            }
        }
    }

    /// The next portion, of so many bytes.
    fn portion(&mut self, bytes: usize) -> &'static mut [u8] {
        assert!(self.room() >= bytes, "a portion fits");
        let start = self.used;
        self.used = (start + bytes).next_multiple_of(ALIGNMENT);
        // SAFETY: within the memory, initialised, and in no other portion until the slot is used anew, which waits for the
        // GPU; nobody keeps a portion longer than its slot.
        unsafe { std::slice::from_raw_parts_mut(self.memory.add(start), bytes) }
    }

    fn room(&self) -> usize {
        Self::BYTES - self.used
    }

    fn wait(&self) -> Result<(), DriverError> {
        // SAFETY: the event lives as long as this.
        unsafe { result::event::synchronize(self.done) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread();
        // Not while the GPU copies.
        let _ = self.wait();
        // SAFETY: made by `new`, and used no more.
        unsafe {
            let _ = result::free_host(self.memory.cast::<c_void>());
            let _ = result::event::destroy(self.done);
        }
    }
}

/// The slots that nobody fills or empties, the one that was used last at the end.
pub struct Staging {
    context: Arc<CudaContext>,
    slots: Mutex<VecDeque<Slot>>,
}

impl Staging {
    /// None yet.
    pub fn new(context: Arc<CudaContext>) -> Staging {
        Staging { context, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot with room for a portion.
    fn take(&self, bytes: usize) -> Result<Slot, DriverError> {
        let mut slots = self.slots();
        if slots.back().is_some_and(|slot| slot.room() >= bytes) {
            return Ok(slots.pop_back().expect("there is a last one"));
        }
        let oldest = if slots.len() < SLOTS { None } else { slots.pop_front() };
        drop(slots);
        let Some(mut slot) = oldest else { return Slot::new(&self.context) };
        slot.wait()?;
        slot.used = 0;
        Ok(slot)
    }

    /// Copies `bytes` bytes to `address`: what `fill` puts into each portion, which it is told the beginning of.
    ///
    /// # Safety
    /// The GPU has so many bytes there.
    pub unsafe fn write(
        &self,
        address: sys::CUdeviceptr,
        bytes: usize,
        fill: &dyn Fn(usize, &mut [u8]),
    ) -> Result<(), DriverError> {
        for start in (0..bytes).step_by(PORTION) {
            let size = PORTION.min(bytes - start);
            let mut slot = self.take(size)?;
            let portion = slot.portion(size);
            fill(start, portion);
            // SAFETY: the caller's bytes; the portion stays as it is until the event.
            unsafe {
                result::memcpy_htod_async(address + start as u64, portion, STREAM)?;
                result::event::record(slot.done, STREAM)?;
            }
            self.slots().push_back(slot);
        }
        Ok(())
    }

    /// Copies from `address` on, and waits for what was launched before.
    ///
    /// # Safety
    /// The GPU has so many bytes there.
    pub unsafe fn read(&self, address: sys::CUdeviceptr, to: &mut [u8]) -> Result<(), DriverError> {
        let empty = |(slot, portion, to): (Slot, &[u8], &mut [u8])| {
            slot.wait()?;
            copy(portion, to);
            self.slots().push_back(slot);
            Ok(())
        };
        let mut before = None;
        for (start, to) in (address..).step_by(PORTION).zip(to.chunks_mut(PORTION)) {
            let mut slot = self.take(to.len())?;
            let portion = slot.portion(to.len());
            // SAFETY: the caller's bytes; the portion is read after the event.
            unsafe {
                result::memcpy_dtoh_async(portion, start, STREAM)?;
                result::event::record(slot.done, STREAM)?;
            }
            before.replace((slot, &*portion, to)).map_or(Ok(()), empty)?;
        }
        before.map_or(Ok(()), empty)
    }
}
