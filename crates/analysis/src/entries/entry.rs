use std::ops::{Index, IndexMut};

/// The precision of gradient entries, in which they are tested: `f32` or `f64`.
pub trait Entry: Float {}

impl Entry for f32 {}
impl Entry for f64 {}

/// A float by the bit pattern of its absolute value (its key), which read as an integer orders as the value does; out of
/// reach of other crates, so that they have no other [`Entry`].
pub trait Float: Copy + Default + Into<f64> + Send + Sync {
    /// An unsigned integer of the float's size.
    type Key: Copy + Default + Ord;
    /// Two counters for each bucket: keys are counted by exponent and 3 bits of mantissa.
    type Counts: Index<usize, Output = [u32; 2]> + IndexMut<usize> + AsMut<[[u32; 2]]>;
    /// The key of the smallest positive value.
    const SMALLEST: Self::Key;
    /// The key of the largest finite value.
    const LARGEST_FINITE: Self::Key;

    /// Counters at zero.
    fn counts() -> Box<Self::Counts>;

    /// The key of a value.
    fn key(self) -> Self::Key;

    /// The positive value of a key.
    fn of_key(key: Self::Key) -> f64;

    /// The bucket of a key.
    fn bucket(key: Self::Key) -> usize;

    /// The first key of a bucket.
    fn first_of(bucket: usize) -> Self::Key;
}

const SINGLE_SHIFT: u32 = f32::MANTISSA_DIGITS - 1 - 3;

impl Float for f32 {
    type Key = u32;
    type Counts = [[u32; 2]; 1 << (31 - SINGLE_SHIFT)];
    const SMALLEST: u32 = 1;
    const LARGEST_FINITE: u32 = f32::MAX.to_bits();

    fn counts() -> Box<Self::Counts> {
        Box::new([[0; 2]; 1 << (31 - SINGLE_SHIFT)])
    }

    fn key(self) -> u32 {
        self.abs().to_bits()
    }

    fn of_key(key: u32) -> f64 {
        f64::from(Self::from_bits(key))
    }

    fn bucket(key: u32) -> usize {
        (key >> SINGLE_SHIFT) as usize
    }

    fn first_of(bucket: usize) -> u32 {
        (bucket as u32) << SINGLE_SHIFT
    }
}

const DOUBLE_SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - 3;

impl Float for f64 {
    type Key = u64;
    type Counts = [[u32; 2]; 1 << (63 - DOUBLE_SHIFT)];
    const SMALLEST: u64 = 1;
    const LARGEST_FINITE: u64 = f64::MAX.to_bits();

    fn counts() -> Box<Self::Counts> {
        Box::new([[0; 2]; 1 << (63 - DOUBLE_SHIFT)])
    }

    fn key(self) -> u64 {
        self.abs().to_bits()
    }

    fn of_key(key: u64) -> f64 {
        Self::from_bits(key)
    }

    fn bucket(key: u64) -> usize {
        (key >> DOUBLE_SHIFT) as usize
    }

    fn first_of(bucket: usize) -> u64 {
        (bucket as u64) << DOUBLE_SHIFT
    }
}
