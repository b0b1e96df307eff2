//! Training images that are cropped and flipped anew in every epoch.

use burn::tensor::{Device, Tensor, TensorData};
use gradspectra_data::{LoadedImages, augmentation_generator, crop_and_flip};
use gradspectra_models::{Labelled, TrainingExamples};
use rand_chacha::ChaCha8Rng;

/// Images whose pixels are augmented before they are normalised; the labels are apart, as they may be corrupted.
pub(crate) struct AugmentedImages<'a> {
    loaded: LoadedImages,
    labels: &'a [u32],
    seed: u64,
    /// The epoch whose batches are being taken, with its random numbers.
    epoch: Option<(usize, ChaCha8Rng)>,
}

impl<'a> AugmentedImages<'a> {
    pub(crate) fn new(loaded: LoadedImages, labels: &'a [u32], seed: u64) -> Self {
        assert_eq!(loaded.images.len(), labels.len(), "one label an image");
        Self { loaded, labels, seed, epoch: None }
    }
}

impl TrainingExamples for AugmentedImages<'_> {
    type Batch = Labelled;

    fn count(&self) -> usize {
        self.labels.len()
    }

    fn batch(&mut self, epoch: usize, indices: &[u32], device: &Device) -> Labelled {
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.epoch = Some((epoch, augmentation_generator(self.seed, epoch as u64)));
        }
        let (_, generator) = self.epoch.as_mut().expect("set above");
        let LoadedImages { images, normaliser, .. } = &self.loaded;
        let features = images.shape().iter().product();
        let mut pixels = vec![0; features];
        let mut inputs = vec![0.0; indices.len() * features];
        for (&index, input) in indices.iter().zip(inputs.chunks_exact_mut(features)) {
            crop_and_flip(images.image(index as usize), images.shape(), generator, &mut pixels);
            normaliser.normalise(&pixels, input);
        }
        Labelled {
            inputs: Tensor::from_data(TensorData::new(inputs, [indices.len(), features]), device),
            labels: indices.iter().map(|&index| self.labels[index as usize]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gradspectra_data::{ImageSet, Normaliser};

    use super::*;

    #[test]
    fn an_epoch_is_its_own_and_repeats() {
        let pixels = (0..2 * 3 * 64).map(|value| (value % 251) as u8).collect();
        let images = ImageSet::new(pixels, [3, 8, 8], vec![0, 1], 2).expect("two images");
        let normaliser = Normaliser::unit([3, 8, 8]);
        let device = Device::flex();
        let batch = |epoch: usize| {
            let loaded = LoadedImages { images: images.clone(), normaliser: normaliser.clone(), files: Vec::new() };
            let Labelled { inputs, labels } = AugmentedImages::new(loaded, &[1, 0], 7).batch(epoch, &[1, 0], &device);
            (inputs.into_data().try_to_vec::<f32>().expect("inputs are f32"), labels)
        };
        assert_eq!(batch(0), batch(0));
        assert_ne!(batch(0).0, batch(1).0);
        assert_eq!(batch(0).1, [0, 1]);
    }
}
