//! Decides how typed values lie in a device's memory, and how launches and copies end in a fault.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::marker::PhantomData;

use ark_bls12_381::{Fq, Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, Zero};
use rayon::prelude::*;

use super::machine::{Argument, Device, Fault, raise};

/// Types whose bytes mean the same on the device.
///
/// # Safety
/// No padding, no invalid bytes, no pointers; the kernels' type of that name has the same layout.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for i16 {}
// SAFETY: integers.
unsafe impl Plain for u16 {}
// SAFETY: integers.
unsafe impl Plain for i32 {}
// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for i64 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}
// SAFETY: a number, of which any bits are one.
unsafe impl Plain for f64 {}
// SAFETY: four limbs of 64 bits fill the type, see below; bytes that are no field element are wrong, not invalid.
unsafe impl Plain for Fr {}
const _: () = assert!(size_of::<Fr>() == size_of::<[u64; 4]>());

// SAFETY: integers.
unsafe impl Plain for [u64; 6] {}

/// An affine point as its coordinates' limbs; all 0 for infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Affine([[u64; 6]; 2]);
// SAFETY: integers.
unsafe impl Plain for Affine {}

impl From<&G1Affine> for Affine {
    fn from(point: &G1Affine) -> Affine {
        Affine(point.xy().map_or([[0; 6]; 2], |(x, y)| [x.0.0, y.0.0]))
    }
}

/// `x = X / ZZ`, `y = Y / ZZZ`, infinity where `ZZ = 0`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Point([[u64; 6]; 4]);
// SAFETY: integers.
unsafe impl Plain for Point {}

/// The points, with one inversion for many.
pub fn affine(points: &[Point]) -> Vec<G1Affine> {
    points.par_chunks(1 << 12).flat_map_iter(affine_together).collect()
}

fn affine_together(points: &[Point]) -> Vec<G1Affine> {
    let fq = |limbs: [u64; 6]| Fq::new_unchecked(BigInt::new(limbs));
    let mut inverses: Vec<Fq> = points.iter().map(|point| fq(point.0[3])).collect();
    ark_ff::batch_inversion(&mut inverses);
    let normal = |(point, inverse): (&Point, Fq)| {
        let [x, y, zz, _] = point.0.map(fq);
        if zz.is_zero() {
            return G1Affine::identity();
        }
        // 1 / ZZ = (ZZ / ZZZ)^2.
        let ratio = zz * inverse;
        G1Affine::new_unchecked(x * ratio * ratio, y * inverse)
    };
    points.iter().zip(inverses).map(normal).collect()
}

/// The bytes of plain values.
pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: plain values have no padding, and live as long as the slice.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of plain values, to be changed.
pub fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: plain values have no padding, live as long as the slice, and may be any bytes.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// Values whose bytes are 0, in memory that is not touched yet where there are many.
fn zeroes<T: Plain>(count: usize) -> Vec<T> {
    let layout = Layout::array::<T>(count).expect("memory has so many values");
    if layout.size() == 0 {
        return Vec::new();
    }
    // SAFETY: the size is not 0.
    let values = unsafe { alloc_zeroed(layout) };
    if values.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: allocated as a vector of this capacity is, and any bytes are values.
    unsafe { Vec::from_raw_parts(values.cast(), count, count) }
}

/// Fills parts, each of which begins at some index, by all cores where there are many.
fn in_parts<T: Send>(values: &mut [T], fill: impl Fn(usize, &mut [T]) + Sync) {
    const BYTES: usize = 1 << 18;
    let size = BYTES / size_of::<T>();
    if values.len() <= size {
        return fill(0, values);
    }
    values.par_chunks_mut(size).enumerate().for_each(|(number, part)| fill(number * size, part));
}

/// Copies, by all cores where it is much.
pub fn copy(from: &[u8], to: &mut [u8]) {
    in_parts(to, |start, part| part.copy_from_slice(&from[start..start + part.len()]));
}

/// Values in the memory of a device.
pub struct Array<D: Device, T> {
    memory: D::Memory,
    length: usize,
    of: PhantomData<T>,
}

impl<D: Device, T: Plain> Array<D, T> {
    /// Of any contents, to be written by a kernel.
    pub fn new(device: &D, length: usize) -> Self {
        let allocate = || device.allocate((length * size_of::<T>()).max(1));
        let memory = match allocate() {
            Err(Fault::OutOfMemory { .. }) if device.keeper().release() => allocate(),
            outcome => outcome,
        };
        let memory = memory.unwrap_or_else(raise);
        Array { memory, length, of: PhantomData }
    }

    /// Zeroes.
    pub fn zeroed(device: &D, length: usize) -> Self {
        let array = Self::new(device, length);
        array.clear(device);
        array
    }

    /// A copy of `values`.
    pub fn of(device: &D, values: &[T]) -> Self {
        Self::joined(device, [values])
    }

    /// A copy of `parts`, one after the other.
    pub fn joined<'a>(device: &D, parts: impl IntoIterator<Item = &'a [T], IntoIter: Clone>) -> Self {
        let parts = parts.into_iter();
        let array = Self::new(device, parts.clone().map(<[T]>::len).sum());
        let mut offset = 0;
        for part in parts {
            device.write(&array.memory, offset, bytes_of(part)).unwrap_or_else(raise);
            offset += size_of_val(part);
        }
        array
    }

    /// A copy of `values`, with room for whole words of 8 bytes.
    pub fn in_words(device: &D, values: &[T]) -> Self {
        let array = Self::new(device, values.len().next_multiple_of(8));
        device.write(&array.memory, 0, bytes_of(values)).unwrap_or_else(raise);
        array
    }

    /// What `fill` makes of each part, which begins at some index; of many parts at the same time.
    pub fn filled(device: &D, length: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Self {
        let array = Self::new(device, length);
        let fill = |start: usize, part: &mut [u8]| {
            // SAFETY: any bytes are values.
            let (before, values, after) = unsafe { part.align_to_mut() };
            assert!(before.is_empty() && after.is_empty(), "a part is of whole values");
            in_parts(values, |at, part| fill(start / size_of::<T>() + at, part));
        };
        device.write_filled(&array.memory, 0, length * size_of::<T>(), &fill).unwrap_or_else(raise);
        array
    }

    /// Number of values.
    pub fn length(&self) -> usize {
        self.length
    }

    /// `count` values from `start` on.
    pub fn read(&self, device: &D, start: usize, count: usize) -> Vec<T> {
        assert!(start + count <= self.length, "values of the array");
        let mut values = zeroes(count);
        let bytes = bytes_of_mut(&mut values);
        device.read(&self.memory, start * size_of::<T>(), bytes).unwrap_or_else(raise);
        values
    }

    /// Copies as many bytes as `to` has, from byte `start` on.
    pub fn read_bytes(&self, device: &D, start: usize, to: &mut [u8]) {
        assert!(start + to.len() <= self.length * size_of::<T>(), "bytes of the array");
        device.read(&self.memory, start, to).unwrap_or_else(raise);
    }

    /// Makes all values those whose bytes are 0.
    pub fn clear(&self, device: &D) {
        device.clear(&self.memory, self.length * size_of::<T>()).unwrap_or_else(raise);
    }

    /// All values.
    pub fn all(&self, device: &D) -> Vec<T> {
        self.read(device, 0, self.length)
    }

    /// The address of the first value.
    pub fn address(&self) -> u64 {
        D::address(&self.memory)
    }

    /// The address of the value at `index`.
    pub fn at(&self, index: usize) -> Argument {
        assert!(index <= self.length, "a value of the array");
        Argument::Word(self.address() + (index * size_of::<T>()) as u64)
    }
}

impl<D: Device, T: Plain> From<&Array<D, T>> for Argument {
    fn from(array: &Array<D, T>) -> Argument {
        array.at(0)
    }
}

impl<D: Device, T: Plain> From<Option<&Array<D, T>>> for Argument {
    fn from(array: Option<&Array<D, T>>) -> Argument {
        array.map_or(Argument::Word(0), Argument::from)
    }
}

/// Starts `threads` threads of a kernel.
///
/// # Safety
/// See [`Device::launch`].
pub unsafe fn launch<D: Device>(device: &D, kernel: &'static str, threads: usize, arguments: &[Argument]) {
    if threads > 0 {
        // SAFETY: the caller's.
        unsafe { device.launch(kernel, threads, arguments) }.unwrap_or_else(raise);
    }
}
