//! The device that runs the networks.

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::{DeviceType, Tensor};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A backend of Burn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU, in pure Rust.
    #[default]
    Flex,
    /// A GPU through Vulkan, Metal, DirectX or WebGPU.
    Wgpu,
    /// An NVIDIA GPU.
    Cuda,
}

impl Backend {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// Its device `index`, counted from 0, without autodiff; the best one without an index.
    ///
    /// # Errors
    ///
    /// The program was built without the backend, no driver or device answers, or there is no device of that index.
    pub fn device(self, index: Option<usize>) -> Result<Device> {
        match self {
            Self::Flex => match index {
                Some(index @ 1..) => Err(no_such_device(self, index, 1)),
                _ => Ok(Device::flex()),
            },
            #[cfg(feature = "wgpu")]
            Self::Wgpu => self.opened(index, DeviceType::Wgpu, || Device::wgpu(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => self.opened(index, DeviceType::Cuda, || Device::cuda(0)),
            #[allow(unreachable_patterns, reason = "every backend is built in with all features")]
            _ => Err(self.refusal(format!("build it in: cargo xtask adds `--features {}` for you", self.name()))),
        }
    }

    fn refusal(self, mend: String) -> Error {
        Error::Setting { name: "--backend", found: self.name().to_owned(), mend }
    }

    /// The device, once a product was formed on it; Burn panics where a driver or a library is missing.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn opened(self, index: Option<usize>, kind: DeviceType, best: fn() -> Device) -> Result<Device> {
        let listed = quietly(|| Device::enumerate(kind).into_vec()).unwrap_or_default();
        let device = match index {
            _ if listed.is_empty() => return Err(self.refusal(format!("no device answers: {}", self.needs()))),
            Some(index) => listed.get(index).cloned().ok_or_else(|| no_such_device(self, index, listed.len()))?,
            None => best(),
        };
        quietly(|| {
            let ones = Tensor::<2>::ones([2, 2], &device);
            gradspectra_models::product(ones.clone(), ones).into_data();
        })
        .map_err(|cause| self.refusal(format!("its device does not compute ({cause}): {}", self.needs())))?;
        Ok(device)
    }

    /// What must be installed for it.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn needs(self) -> &'static str {
        match self {
            Self::Cuda => "install an NVIDIA driver and CUDA's NVRTC, or use --backend flex",
            _ => "install a Vulkan, Metal or DirectX driver, or use --backend flex",
        }
    }
}

fn no_such_device(backend: Backend, index: usize, devices: usize) -> Error {
    let known = if devices == 1 { "device 0 only".to_owned() } else { format!("devices 0 to {}", devices - 1) };
    Error::Setting { name: "--device", found: index.to_string(), mend: format!("{} has {known}", backend.name()) }
}

/// What `action` returns, or the first line of its panic, which is not printed.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn quietly<T>(action: impl FnOnce() -> T) -> std::result::Result<T, String> {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let outcome = catch_unwind(AssertUnwindSafe(action));
    set_hook(hook);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        text.and_then(|text| text.lines().next()).unwrap_or("no reason given").to_owned()
    })
}

/// The device that a result was made on, of a backend with several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceReport {
    /// Its name, as the driver gives it.
    pub name: String,
    /// Its index, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

impl DeviceReport {
    /// The report of `device`, none on the CPU.
    pub fn of(device: &Device, index: Option<usize>) -> Option<Self> {
        name_of(device).map(|name| Self { name, index })
    }
}

/// A device in the words of a line that tells it: a graphics driver that computes on the CPU is named as such.
pub(crate) fn in_words(device: Option<&DeviceReport>) -> String {
    match device {
        None => String::new(),
        Some(device) if is_software(&device.name) => {
            format!(" ({}, a software adapter: the CPU does the work, not a GPU)", device.name)
        }
        Some(device) => format!(" ({})", device.name),
    }
}

/// Whether the driver of this name is Mesa's, Google's or Microsoft's for machines without a GPU.
pub(crate) fn is_software(name: &str) -> bool {
    const DRIVERS: [&str; 5] = ["llvmpipe", "lavapipe", "softpipe", "swiftshader", "microsoft basic render"];
    let name = name.to_lowercase();
    DRIVERS.iter().any(|driver| name.contains(driver))
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn name_of(device: &Device) -> Option<String> {
    device.identity().map(|identity| identity.name)
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn name_of(_: &Device) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_adapters_are_named_as_such() {
        let line = |name: &str| in_words(Some(&DeviceReport { name: name.to_owned(), index: None }));
        assert!(line("llvmpipe (LLVM 19.1.7, 256 bits)").contains("a software adapter"));
        assert!(line("SwiftShader Device (LLVM 10.0.0)").contains("a software adapter"));
        assert_eq!(line("NVIDIA H100"), " (NVIDIA H100)");
        assert_eq!(in_words(None), "");
    }
}
