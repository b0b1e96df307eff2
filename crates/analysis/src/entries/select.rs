/// The largest finite key.
const LARGEST_FINITE: u32 = f32::MAX.to_bits();
/// Keys are counted by exponent and 3 bits of mantissa.
const SHIFT: u32 = 20;
const BUCKETS: usize = 1 << (31 - SHIFT);

/// Selects the largest absolute values of f32 samples; holds the scratch space of one thread.
///
/// The bit pattern of an absolute value, read as an integer (its key), orders as the value does.
pub(super) struct TopAbsolute {
    counts: Box<[[u32; 2]; BUCKETS]>,
    selected: Vec<u32>,
}

impl TopAbsolute {
    pub(super) fn new() -> Self {
        Self { counts: Box::new([[0; 2]; BUCKETS]), selected: Vec::new() }
    }

    /// The ascending keys of the min(k, P) largest absolute values, P the number of entries that are not zero;
    /// where an entry is not finite, its position.
    pub(super) fn select(&mut self, sample: &[f32], k: usize) -> Result<&[u32], usize> {
        if sample.iter().fold(0, |largest, entry| key(*entry).max(largest)) > LARGEST_FINITE {
            let position = sample.iter().position(|entry| !entry.is_finite());
            return Err(position.expect("an entry has a key above the largest finite one"));
        }
        let lower = if sample.len() > k { self.lower_bound(sample, k) } else { 1 };
        self.selected.resize(sample.len(), 0);
        let mut count = 0;
        for entry in sample {
            let key = key(*entry);
            self.selected[count] = key;
            count += usize::from(key >= lower);
        }
        let selected = &mut self.selected[..count];
        selected.sort_unstable();
        Ok(&selected[count.saturating_sub(k)..])
    }

    /// A positive key that at least k entries reach, and few more; 1 where fewer than k are positive.
    fn lower_bound(&mut self, sample: &[f32], k: usize) -> u32 {
        self.counts.fill([0; 2]);
        // Two counters a bucket: neighbours often share a bucket, and would wait for one counter's last store.
        let (pairs, last) = sample.as_chunks::<2>();
        for &[first, second] in pairs {
            self.counts[(key(first) >> SHIFT) as usize][0] += 1;
            self.counts[(key(second) >> SHIFT) as usize][1] += 1;
        }
        for &entry in last {
            self.counts[(key(entry) >> SHIFT) as usize][0] += 1;
        }
        let mut reached = 0;
        for bucket in (1..BUCKETS).rev() {
            reached += (self.counts[bucket][0] + self.counts[bucket][1]) as usize;
            if reached >= k {
                return (bucket as u32) << SHIFT;
            }
        }
        1
    }
}

fn key(entry: f32) -> u32 {
    entry.abs().to_bits()
}
