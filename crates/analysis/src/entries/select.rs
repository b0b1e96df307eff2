use super::entry::Entry;

/// Selects the largest absolute values of samples; holds the scratch space of one thread.
pub(super) struct TopAbsolute<E: Entry> {
    counts: Box<E::Counts>,
    selected: Vec<E::Key>,
}

impl<E: Entry> TopAbsolute<E> {
    pub(super) fn new() -> Self {
        Self { counts: E::counts(), selected: Vec::new() }
    }

    /// The ascending keys of the min(k, P) largest absolute values, P the number of entries that are not zero;
    /// where an entry is not finite, its position.
    pub(super) fn select(&mut self, sample: &[E], k: usize) -> Result<&[E::Key], usize> {
        if sample.iter().fold(E::Key::default(), |largest, entry| entry.key().max(largest)) > E::LARGEST_FINITE {
            let position = sample.iter().position(|entry| entry.key() > E::LARGEST_FINITE);
            return Err(position.expect("an entry has a key above the largest finite one"));
        }
        // A counter holds what fits u32.
        let counted = sample.len() > k && u32::try_from(sample.len()).is_ok();
        let lower = if counted { self.lower_bound(sample, k) } else { E::SMALLEST };
        self.selected.resize(sample.len(), E::Key::default());
        let mut count = 0;
        for entry in sample {
            let key = entry.key();
            self.selected[count] = key;
            count += usize::from(key >= lower);
        }
        let selected = &mut self.selected[..count];
        selected.sort_unstable();
        Ok(&selected[count.saturating_sub(k)..])
    }

    /// A positive key that at least k entries reach, and few more; the smallest where fewer than k are positive.
    fn lower_bound(&mut self, sample: &[E], k: usize) -> E::Key {
        let counts = &mut *self.counts;
        counts.as_mut().fill([0; 2]);
        // Two counters a bucket: neighbours often share a bucket, and would wait for one counter's last store.
        let (pairs, last) = sample.as_chunks::<2>();
        for &[first, second] in pairs {
            counts[E::bucket(first.key())][0] += 1;
            counts[E::bucket(second.key())][1] += 1;
        }
        for &entry in last {
            counts[E::bucket(entry.key())][0] += 1;
        }
        let mut reached = 0;
        for (bucket, count) in counts.as_mut().iter().enumerate().skip(1).rev() {
            reached += (count[0] + count[1]) as usize;
            if reached >= k {
                return E::first_of(bucket);
            }
        }
        E::SMALLEST
    }
}
