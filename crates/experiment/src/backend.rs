//! The backend that runs the networks.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

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
