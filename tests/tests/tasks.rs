//! Decides that the library may be called from tasks of its caller's threads: none waits for itself.
//!
//! Who waits for other threads runs other tasks meanwhile; one that needs a lock which the waiting one holds would never end.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};
use zkllm_cuda_shim::{Memory, Shim};
use zkllm_kernels::device::keep::Keeper;
use zkllm_kernels::device::{Argument, Device, Fault, OnDevice};
use zkllm_kernels::{Backend, Cpu, Ints, Piece};
use zkllm_prover::commit::setup::Generators;
use zkllm_prover::prove::blinding::Randomness;
use zkllm_prover::session;
use zkllm_tests::{Case, SHAPE};

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Runs `work` for the numbers below `count` as tasks of a few threads, among tasks that wait for nothing.
fn as_tasks(count: usize, work: impl Fn(usize) + Send + Sync + 'static) {
    let (end, ended) = channel();
    thread::spawn(move || {
        let threads = ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
        let work = &work;
        threads.in_place_scope(|scope| {
            for number in 0..count {
                scope.spawn(move |_| busy(Duration::from_millis(1)));
                scope.spawn(move |_| work(number));
            }
        });
        let _ = end.send(());
    });
    match ended.recv_timeout(Duration::from_secs(100)) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("a task waits for itself"),
        Err(RecvTimeoutError::Disconnected) => panic!("a task failed"),
    }
}

/// A device that all threads copy to and compute on.
struct Shared {
    shim: Shim,
    keeper: Keeper<Shared>,
}

impl Shared {
    fn backend() -> OnDevice<Shared> {
        OnDevice::on(Shared { shim: Shim::default(), keeper: Keeper::default() })
    }
}

fn by_all() {
    (0..16).into_par_iter().with_max_len(1).for_each(|_| busy(Duration::from_micros(20)));
}

impl Device for Shared {
    type Memory = Memory;

    fn name(&self) -> String {
        self.shim.name()
    }

    fn keeper(&self) -> &Keeper<Shared> {
        &self.keeper
    }

    fn free_bytes(&self) -> Result<usize, Fault> {
        self.shim.free_bytes()
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, Fault> {
        self.shim.allocate(bytes)
    }

    fn address(memory: &Memory) -> u64 {
        Shim::address(memory)
    }

    fn clear(&self, memory: &Memory, bytes: usize) -> Result<(), Fault> {
        self.shim.clear(memory, bytes)
    }

    fn write(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        by_all();
        self.shim.write(memory, offset, bytes)
    }

    fn read(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        by_all();
        self.shim.read(memory, offset, bytes)
    }

    unsafe fn launch(&self, kernel: &'static str, threads: usize, arguments: &[Argument]) -> Result<(), Fault> {
        by_all();
        // SAFETY: the caller's.
        unsafe { self.shim.launch(kernel, threads, arguments) }
    }
}

/// A matrix of one row of integers that differ in width.
fn integers(count: usize, number: usize) -> Vec<i64> {
    (0..count as i64).map(|at| (at * 7919 + 1) << (8 * (number % 6))).collect()
}

/// The generators, which the first test makes of all sizes in tasks: they are made once.
fn generators(log: usize) -> Arc<Generators> {
    static MADE: Once = Once::new();
    MADE.call_once(|| as_tasks(12, |log| assert_eq!(Generators::new(log).g1.len(), 1 << log)));
    Generators::new(log)
}

#[test]
fn generators_are_made_in_tasks() {
    assert_eq!(generators(3).g2.len(), 8);
}

#[test]
fn multiples_of_bases_are_made_in_tasks() {
    let points: Vec<_> = generators(9).g1.iter().cycle().take(1 << 13).copied().collect();
    for _ in 0..4 {
        let bases = Cpu.prepare_bases(&points);
        as_tasks(24, move |number| {
            let values = integers(1 << 13, number);
            Cpu.commit_rows(&bases, 1, &[Piece { row: 0, column: 0, values: Ints::I64(&values) }]);
        });
    }
}

#[test]
fn multiples_of_bases_are_made_on_a_device_in_tasks() {
    let points = generators(5).g1.clone();
    for _ in 0..4 {
        let backend = Shared::backend();
        let bases = backend.prepare_bases(&points);
        as_tasks(12, move |number| {
            let values = integers(1 << 5, number);
            backend.commit_rows(&bases, 1, &[Piece { row: 0, column: 0, values: Ints::I64(&values) }]);
        });
    }
}

#[test]
fn receipts_are_made_in_tasks() {
    generators(6);
    let case = Case::new(SHAPE, 1, &[3, 1], 2);
    let prove = |Case { card, columns, secret, statement, .. }: &Case| {
        let randomness = Randomness::known([2; 64]);
        session::receipt(&Cpu, card, columns, secret, statement, randomness, &|_| {}).expect("a receipt")
    };
    let expected = prove(&case);
    as_tasks(2, move |_| {
        let mut again = case.card.clone();
        let randomness = Randomness::known([1; 64]);
        session::commit(&Cpu, &mut again, &case.columns, randomness, &|_, _| {}).expect("a commitment");
        assert_eq!(again.to_bytes(), case.card.to_bytes());
        assert_eq!(prove(&case), expected);
    });
}
