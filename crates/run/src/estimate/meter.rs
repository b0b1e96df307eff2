//! What a thread holds of memory, counted where it is taken and given back.

#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts for each thread.
#[cfg_attr(not(feature = "metered"), expect(dead_code, reason = "another allocator is in its place"))]
struct Metered;

#[cfg(feature = "metered")]
#[global_allocator]
static MEMORY: Metered = Metered;

thread_local! {
    /// The bytes that this thread took and did not give back, and the most that they were.
    static HELD: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

fn count(bytes: i64) {
    // A thread that ends gives back what is no longer counted.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call is the system's own with the same arguments.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `work` gives, and the most bytes that this thread held beyond those that it held before; `None` in a program with
/// another allocator.
pub fn peak_of<R>(work: impl FnOnce() -> R) -> (R, Option<u64>) {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let result = work();
    let (_, most) = HELD.get();
    (result, cfg!(feature = "metered").then_some((most - before).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_is_held_at_once_is_counted() {
        const MEGABYTE: usize = 1 << 20;
        let ((), most) = peak_of(|| {
            for _ in 0..5 {
                let first = vec![1_u8; MEGABYTE];
                let second = vec![2_u8; 2 * MEGABYTE];
                drop((first, second));
            }
        });
        let most = most.expect("the allocator counts");
        assert!((3 * MEGABYTE as u64..4 * MEGABYTE as u64).contains(&most), "{most}");
        std::thread::scope(|scope| {
            scope.spawn(|| drop(vec![3_u8; MEGABYTE]));
        });
        let (_, most) = peak_of(|| ());
        assert_eq!(most, Some(0), "other threads are not counted");
    }
}
