//! What a device is, and what it has room for.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether `device`, with or without autodiff, is the CPU.
pub fn runs_on_cpu(device: &Device) -> bool {
    matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}

/// The memory of a GPU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuMemory {
    /// All of it; 2 GiB where the driver does not tell.
    pub total: u64,
    /// The most that one buffer may take.
    pub buffer: u64,
}

impl GpuMemory {
    /// What a GPU has at the least, with WebGPU's lowest limit of a buffer.
    const LEAST: Self = Self { total: 2 << 30, buffer: 128 << 20 };

    /// The memory of `device`; `LEAST` where it tells nothing, as the CPU.
    pub fn of(device: &Device) -> Self {
        told(device).unwrap_or(Self::LEAST)
    }

    /// The numbers in f32 of a buffer of which several are held at once: a 32nd of the memory or half of what a buffer
    /// may take, whichever is less.
    pub fn buffer_numbers(self) -> usize {
        (self.total / 32).min(self.buffer / 2) as usize / size_of::<f32>()
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn told(device: &Device) -> Option<GpuMemory> {
    let device = device.clone().without_autodiff();
    let DispatchDevice::Cube(device) = device.as_dispatch() else { return None };
    let client = device.client();
    let memory = &client.properties().memory;
    let total = memory.max_memory().unwrap_or(GpuMemory::LEAST.total);
    Some(GpuMemory { total, buffer: memory.max_page_size })
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn told(_: &Device) -> Option<GpuMemory> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_keep_to_the_memory_and_to_the_driver() {
        assert_eq!(GpuMemory::LEAST.buffer_numbers(), 16 << 20, "64 MiB");
        let small = GpuMemory { total: 256 << 20, buffer: 128 << 20 };
        assert_eq!(small.buffer_numbers(), 2 << 20, "8 MiB");
        let large = GpuMemory { total: 80 << 30, buffer: 20 << 30 };
        assert_eq!(large.buffer_numbers(), 640 << 20, "2.5 GiB");
    }
}
