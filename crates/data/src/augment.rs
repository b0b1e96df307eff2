use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use crate::seed::Stream;

/// CIFAR's padding before the random crop (§A).
const PADDING: usize = 4;

/// The random numbers for the augmentation of one epoch, independent of those for its order.
pub fn augmentation_generator(seed: u64, epoch: u64) -> ChaCha8Rng {
    Stream::Augmentation(epoch).generator(seed)
}

/// Writes a random crop of `image` `[C, H, W]`, padded by 4 on each side, flipped left to right half the time (§A).
///
/// The padding is black, as torchvision's `RandomCrop(32, padding=4)` pads before it normalises: crop bytes, then
/// [`normalise`](crate::Normaliser::normalise) them. Draws the crop's row, its column, then the flip.
///
/// # Panics
///
/// If `image` or `output` is not of `shape`.
pub fn crop_and_flip(image: &[u8], shape: [usize; 3], generator: &mut impl Rng, output: &mut [u8]) {
    let [channels, height, width] = shape;
    assert_eq!([image.len(), output.len()], [channels * height * width; 2]);
    let top = generator.random_range(0..=2 * PADDING as u32) as usize;
    let left = generator.random_range(0..=2 * PADDING as u32) as usize;
    let flip = generator.random::<bool>();
    for (index, pixel) in output.iter_mut().enumerate() {
        let (channel, row, column) = (index / (height * width), index / width % height, index % width);
        let column = if flip { width - 1 - column } else { column };
        let (row, column) = (row + top, column + left);
        let inside = (PADDING..PADDING + height).contains(&row) && (PADDING..PADDING + width).contains(&column);
        *pixel = match inside {
            true => image[(channel * height + row - PADDING) * width + column - PADDING],
            false => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SHAPE: [usize; 3] = [2, 3, 5];

    fn image() -> Vec<u8> {
        (1..=30).collect()
    }

    /// The padded image, sliced and reversed row by row.
    fn naive(top: usize, left: usize, flip: bool) -> Vec<u8> {
        let mut output = Vec::new();
        for channel in image().chunks(15) {
            let mut padded = vec![vec![0; 5 + 2 * PADDING]; 3 + 2 * PADDING];
            for (row, pixels) in channel.chunks(5).enumerate() {
                padded[row + PADDING][PADDING..PADDING + 5].copy_from_slice(pixels);
            }
            for row in &padded[top..top + 3] {
                let mut row = row[left..left + 5].to_vec();
                if flip {
                    row.reverse();
                }
                output.extend(row);
            }
        }
        output
    }

    #[test]
    fn every_crop_and_flip_comes_up_and_is_that_of_the_padded_image() {
        let offsets = || 0..=2 * PADDING;
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for top in offsets() {
            for left in offsets() {
                counts.insert(naive(top, left, false), 0);
                counts.insert(naive(top, left, true), 0);
            }
        }
        let mut generator = augmentation_generator(3, 0);
        let mut output = vec![0; 30];
        for _ in 0..10_000 {
            crop_and_flip(&image(), SHAPE, &mut generator, &mut output);
            *counts.get_mut(&output).expect("a crop of the padded image") += 1;
        }
        assert!(counts.values().all(|&count| count > 0));
    }

    #[test]
    fn seed_and_epoch_fix_the_crops() {
        let crops = |seed, epoch| {
            let mut generator = augmentation_generator(seed, epoch);
            let mut output = vec![0; 30 * 50];
            for output in output.chunks_mut(30) {
                crop_and_flip(&image(), SHAPE, &mut generator, output);
            }
            output
        };
        assert_eq!(crops(1, 2), crops(1, 2));
        assert_ne!(crops(1, 2), crops(2, 2));
        assert_ne!(crops(1, 2), crops(1, 3));
    }
}
