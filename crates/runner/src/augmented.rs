//! Training images that are cropped and flipped anew in every epoch.

use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_data::{ImageSet, Normaliser, augmentation_generator, crop_and_flip};
use gradspectra_models::TrainingExamples;
use rand_chacha::ChaCha8Rng;

/// Images whose pixels are augmented before they are normalised; the labels are apart, as they may be corrupted.
pub(crate) struct AugmentedImages<'a> {
    images: &'a ImageSet,
    normaliser: &'a Normaliser,
    labels: &'a [u32],
    seed: u64,
    /// The epoch whose batches are being taken, with its random numbers.
    epoch: Option<(usize, ChaCha8Rng)>,
}

impl<'a> AugmentedImages<'a> {
    pub(crate) fn new(images: &'a ImageSet, normaliser: &'a Normaliser, labels: &'a [u32], seed: u64) -> Self {
        assert_eq!(images.len(), labels.len(), "one label an image");
        Self { images, normaliser, labels, seed, epoch: None }
    }
}

impl TrainingExamples for AugmentedImages<'_> {
    fn labels(&self) -> &[u32] {
        self.labels
    }

    fn batch(&mut self, epoch: usize, indices: &[u32], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.epoch = Some((epoch, augmentation_generator(self.seed, epoch as u64)));
        }
        let (_, generator) = self.epoch.as_mut().expect("set above");
        let features = self.images.shape().iter().product();
        let mut pixels = vec![0; features];
        let mut inputs = vec![0.0; indices.len() * features];
        for (&index, input) in indices.iter().zip(inputs.chunks_exact_mut(features)) {
            crop_and_flip(self.images.image(index as usize), self.images.shape(), generator, &mut pixels);
            self.normaliser.normalise(&pixels, input);
        }
        let labels: Vec<i32> = indices.iter().map(|&index| self.labels[index as usize] as i32).collect();
        (
            Tensor::from_data(TensorData::new(inputs, [indices.len(), features]), device),
            Tensor::from_data(TensorData::new(labels, [indices.len()]), device),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_its_own_and_repeats() {
        let pixels = (0..2 * 3 * 64).map(|value| (value % 251) as u8).collect();
        let images = ImageSet::new(pixels, [3, 8, 8], vec![0, 1], 2).expect("two images");
        let normaliser = Normaliser::unit([3, 8, 8]);
        let device = Device::flex();
        let batch = |epoch: usize| {
            let mut augmented = AugmentedImages::new(&images, &normaliser, &[1, 0], 7);
            let (inputs, labels) = augmented.batch(epoch, &[1, 0], &device);
            let labels = labels.into_data().try_to_vec::<i32>().expect("labels are i32");
            (inputs.into_data().try_to_vec::<f32>().expect("inputs are f32"), labels)
        };
        assert_eq!(batch(0), batch(0));
        assert_ne!(batch(0).0, batch(1).0);
        assert_eq!(batch(0).1, [0, 1]);
    }
}
