//! The device that runs the networks.

use burn::tensor::Device;
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

    /// Its device, without autodiff.
    ///
    /// # Errors
    ///
    /// The program was built without the backend.
    pub fn device(self) -> Result<Device> {
        match self {
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => self.probed(|| Device::wgpu(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => self.probed(|| Device::cuda(0)),
            #[allow(unreachable_patterns, reason = "every backend is built in with all features")]
            _ => Err(Error::Setting {
                name: "--backend",
                found: self.name().to_owned(),
                mend: format!("build it in: cargo xtask adds `--features {}` for you", self.name()),
            }),
        }
    }

    /// The device, if a tensor can be made on it; Burn panics where there is no driver.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn probed(self, device: fn() -> Device) -> Result<Device> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let probed = std::panic::catch_unwind(|| {
            let device = device();
            burn::tensor::Tensor::<1>::ones([1], &device).into_data();
            device
        });
        std::panic::set_hook(hook);
        probed.map_err(|_| Error::Setting {
            name: "--backend",
            found: self.name().to_owned(),
            mend: "no device answers: install its driver, or use --backend flex".to_owned(),
        })
    }
}
