//! Decides which instructions of the processor compute: the widest vectors that it has.

use std::sync::atomic::{AtomicU8, Ordering};

/// Ways to compute the same, each with the instructions of those before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// What every processor has.
    Plain,
    /// AVX2.
    Avx2,
    /// AVX-512 F, BW and VL.
    Avx512,
    /// AVX-512 IFMA, products of 52 bits.
    Ifma,
}

/// The number of the path in use; another one before it is known.
static USED: AtomicU8 = AtomicU8::new(u8::MAX);

impl Path {
    /// All of them, the narrowest first.
    pub const ALL: [Path; 4] = [Path::Plain, Path::Avx2, Path::Avx512, Path::Ifma];

    /// Whether this machine has it.
    pub fn is_there(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            match self {
                Path::Plain => true,
                Path::Avx2 => is_x86_feature_detected!("avx2"),
                Path::Avx512 => avx512 && Path::Avx2.is_there(),
                Path::Ifma => is_x86_feature_detected!("avx512ifma") && Path::Avx512.is_there(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Path::Plain
        }
    }

    /// The one in use, which is there: the widest, unless a test chose another one.
    #[inline]
    pub fn used() -> Path {
        match Path::ALL.get(usize::from(USED.load(Ordering::Relaxed))) {
            Some(path) => *path,
            None => Path::ALL.into_iter().rfind(|path| path.is_there()).map_or(Path::Plain, Path::chosen),
        }
    }

    fn chosen(self) -> Path {
        USED.store(self as u8, Ordering::Relaxed);
        self
    }

    /// Has all threads use this one from now on, for tests that compare them. False, and nothing changes, where it is not there.
    #[doc(hidden)]
    pub fn choose(self) -> bool {
        self.is_there() && self.chosen() == self
    }
}
