//! Decides nothing: links the verifier into a program without an operating system, so that a build shows what it needs.
//!
//! A device would receive card and receipt over a wire into memory of its own; here they are empty, and opaque to the
//! compiler, so that it keeps the whole verifier.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

const HEAP_BYTES: usize = 8 << 20;

/// Hands out memory and takes none back: enough for a program that verifies one receipt.
struct Heap {
    memory: UnsafeCell<[u8; HEAP_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: every byte of `memory` is handed out at most once, by an atomic reservation.
unsafe impl Sync for Heap {}

// SAFETY: `alloc` returns aligned memory inside `memory` that no other call has returned, or null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get() as usize;
        let reserve = |used: usize| {
            let start = base.checked_add(used)?.checked_next_multiple_of(layout.align())? - base;
            let end = start.checked_add(layout.size())?;
            (end <= HEAP_BYTES).then_some((start, end))
        };
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let Some((start, end)) = reserve(used) else { return null_mut() };
            match self.used.compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed) {
                // SAFETY: `start <= end <= HEAP_BYTES`, so the pointer stays in `memory`.
                Ok(_) => return unsafe { self.memory.get().cast::<u8>().add(start) },
                Err(now) => used = now,
            }
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Heap = Heap { memory: UnsafeCell::new([0; HEAP_BYTES]), used: AtomicUsize::new(0) };

/// 0 while it runs, 1 proved, 2 refused, 3 panicked: for a debugger.
static VERDICT: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    VERDICT.store(3, Ordering::Relaxed);
    loop {
        core::hint::spin_loop();
    }
}

// SAFETY: no other symbol of this program has the name. Tables for unwinding refer to it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

// SAFETY: no other symbol of this program has the name.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let (card, receipt): (&[u8], &[u8]) = (black_box(&[]), black_box(&[]));
    let verdict = match zkllm_verifier::verify(card, receipt) {
        Ok(_) => 1,
        Err(_) => 2,
    };
    VERDICT.store(verdict, Ordering::Relaxed);
    loop {
        core::hint::spin_loop();
    }
}
