//! The device that runs the networks.

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::{DeviceType, Tensor};
use gradspectra_experiment::{Backend, DeviceReport};

use crate::error::{Error, Result};

/// The device `index` of `backend`, counted from 0, without autodiff; the best one without an index.
///
/// # Errors
///
/// The program was built without the backend, no driver or device answers, or there is no device of that index.
pub fn device(backend: Backend, index: Option<usize>) -> Result<Device> {
    match backend {
        Backend::Flex => match index {
            Some(index @ 1..) => Err(no_such_device(backend, index, 1)),
            _ => Ok(Device::flex()),
        },
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => opened(backend, index, DeviceType::Wgpu, || Device::wgpu(Default::default())),
        #[cfg(feature = "cuda")]
        Backend::Cuda => opened(backend, index, DeviceType::Cuda, || Device::cuda(0)),
        #[allow(unreachable_patterns, reason = "every backend is built in with all features")]
        _ => Err(refusal(backend, format!("build it in: cargo xtask adds `--features {}` for you", backend.name()))),
    }
}

fn refusal(backend: Backend, mend: String) -> Error {
    Error::Setting { name: "--backend", found: backend.name().to_owned(), mend }
}

/// The device, once a product was formed on it; Burn panics where a driver or a library is missing.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn opened(backend: Backend, index: Option<usize>, kind: DeviceType, best: fn() -> Device) -> Result<Device> {
    let listed = quietly(|| Device::enumerate(kind).into_vec()).unwrap_or_default();
    let device = match index {
        _ if listed.is_empty() => return Err(refusal(backend, format!("no device answers: {}", needs(backend)))),
        Some(index) => listed.get(index).cloned().ok_or_else(|| no_such_device(backend, index, listed.len()))?,
        None => best(),
    };
    quietly(|| {
        let ones = Tensor::<2>::ones([2, 2], &device);
        gradspectra_models::product(ones.clone(), ones).into_data();
    })
    .map_err(|cause| refusal(backend, format!("its device does not compute ({cause}): {}", needs(backend))))?;
    Ok(device)
}

/// What must be installed for it.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn needs(backend: Backend) -> &'static str {
    match backend {
        Backend::Cuda => "install an NVIDIA driver and CUDA's NVRTC, or use --backend flex",
        _ => "install a Vulkan, Metal or DirectX driver, or use --backend flex",
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

/// The report of `device`, none on the CPU.
pub(crate) fn report(device: &Device, index: Option<usize>) -> Option<DeviceReport> {
    name_of(device).map(|name| DeviceReport { name, index })
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
