//! What the system tells of memory.

use std::fs;
use std::path::Path;

/// What the machine has free, or less where a control group (a container, a job of Slurm) grants less.
pub(super) fn available() -> Option<u64> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let granted = granted(Path::new("/sys/fs/cgroup"), &membership).unwrap_or(u64::MAX);
    Some(kilobytes("/proc/meminfo", "MemAvailable:")?.min(granted))
}

/// What the control groups below `root` leave to the process whose `/proc/self/cgroup` is `membership` (version 2).
fn granted(root: &Path, membership: &str) -> Option<u64> {
    let own = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    root.join(own).ancestors().take_while(|group| group.starts_with(root)).filter_map(left).min()
}

/// What a control group has left; files that it only caches count as free.
fn left(group: &Path) -> Option<u64> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let cached = read("memory.stat")?.lines().find_map(|line| number(line.strip_prefix("inactive_file ")?));
    let held = number(&read("memory.current")?)?.saturating_sub(cached.unwrap_or(0));
    Some(number(&read("memory.max")?)?.saturating_sub(held))
}

/// The largest resident set of this process since the last [`forget_peak`], in bytes, where the system tells it.
pub(crate) fn peak() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// Begins anew with the peak; where the system does not let it, [`peak`] stays that of the whole process.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_of_the_control_groups_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let group = |path: &str, most: &str, current: &str, cached: u64| {
            let folder = root.path().join(path);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("memory.max"), most).expect("a file");
            fs::write(folder.join("memory.current"), current).expect("a file");
            fs::write(folder.join("memory.stat"), format!("anon 7\ninactive_file {cached}\n")).expect("a file");
        };
        group("slurm", "9000\n", "1000\n", 0);
        group("slurm/job", "5000\n", "2500\n", 500);
        group("slurm/job/step", "max\n", "2000\n", 0);
        assert_eq!(granted(root.path(), "1:cpu:/\n0::/slurm/job/step\n"), Some(3000));
        assert_eq!(granted(root.path(), "0::/slurm"), Some(8000));
        assert_eq!(granted(root.path(), "0::/"), None);
        assert_eq!(granted(root.path(), ""), None);
    }
}
