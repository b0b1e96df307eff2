//! Which process has a folder of results.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use gradspectra_files::duration;

/// What a lock says of this process: its id, and the machine where that is known.
pub(super) fn this_process() -> String {
    format!("{} {}\n", std::process::id(), machine())
}

/// The name of this machine, where the system tells it.
fn machine() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Whether `file` is what is at `path`, not one of that name that was removed.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(there)) => identity(opened) == identity(there),
        _ => false,
    }
}

/// Files that are open are not removed there.
#[cfg(not(unix))]
pub(super) fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Who holds the lock `path`, since when, and what can be done. Those who do tasks, whose locks are in the folder `tasks`,
/// share the folder's lock.
pub(super) fn of(path: &Path, tasks: &Path) -> String {
    let locks = fs::read_dir(tasks).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut holders: Vec<(String, Duration)> = match path.starts_with(tasks) {
        true => Vec::new(),
        false => locks.filter(|lock| is_held(lock)).filter_map(|lock| read(&lock)).collect(),
    };
    if holders.is_empty() {
        holders.extend(read_when_written(path));
    }
    holders.sort();
    holders.dedup_by(|other, one| other.0 == one.0);
    let names: Vec<&str> = holders.iter().map(|(process, _)| process.as_str()).collect();
    let longest = holders.iter().map(|(_, held)| held.as_secs_f64()).fold(0.0, f64::max);
    let since = format!("for {} so far", duration(longest));
    match names[..] {
        [] => "another process is running there: wait for it".to_owned(),
        [process] => {
            format!("process {process} is running there, {since}: wait for it, or end it, which keeps what is finished")
        }
        _ => {
            let processes = names.join(", ");
            format!(
                "processes {processes} are running there, {since}: wait for them, or end them, which keeps what is finished"
            )
        }
    }
}

fn is_held(lock: &Path) -> bool {
    File::open(lock).is_ok_and(|file| file.try_lock_shared().is_err())
}

/// The process that a lock names, and since when; it is written in the moment after the lock is taken.
fn read_when_written(path: &Path) -> Option<(String, Duration)> {
    const TRIES: usize = 40;
    (0..TRIES).find_map(|_| {
        let found = read(path);
        if found.is_none() {
            std::thread::sleep(Duration::from_millis(25));
        }
        found
    })
}

fn read(path: &Path) -> Option<(String, Duration)> {
    let text = fs::read_to_string(path).ok().filter(|text| !text.trim().is_empty())?;
    let held = fs::metadata(path).ok()?.modified().ok()?.elapsed().unwrap_or_default();
    let process = match text.trim().split_once(' ') {
        Some((id, there)) if there != machine() => format!("{id} of {there}"),
        Some((id, _)) => id.to_owned(),
        None => text.trim().to_owned(),
    };
    Some((process, held))
}
