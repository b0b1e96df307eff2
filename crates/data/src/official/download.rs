//! Downloads of listed files, verified before they get their name.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use ureq::Agent;

use crate::{
    official::catalogue::ListedFile,
    error::{DataError, Result},
    official::file::hexadecimal,
};

/// Is told a download's progress: the file's name, the bytes that have come and the bytes in all.
pub type Progress<'a> = dyn FnMut(&str, u64, u64) + 'a;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Downloads `file`, which has mirrors, into `folder` from the first that delivers it, over HTTPS only.
pub(crate) fn download(file: &ListedFile, folder: &Path, progress: &mut Progress) -> Result<PathBuf> {
    from_mirrors(&agent(true), file, folder, progress)
}

fn from_mirrors(agent: &Agent, file: &ListedFile, folder: &Path, progress: &mut Progress) -> Result<PathBuf> {
    let mut outcome = fetch(agent, &file.mirrors[0], file, folder, progress);
    for mirror in &file.mirrors[1..] {
        if matches!(outcome, Ok(_) | Err(DataError::Io { .. })) {
            break;
        }
        outcome = fetch(agent, mirror, file, folder, progress);
    }
    outcome
}

fn agent(https_only: bool) -> Agent {
    Agent::config_builder()
        .https_only(https_only)
        .accept_encoding("identity")
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .timeout_per_read(Some(TIMEOUT))
        .build()
        .into()
}

fn fetch(agent: &Agent, url: &str, file: &ListedFile, folder: &Path, progress: &mut Progress) -> Result<PathBuf> {
    let io = |path: &Path, action| {
        let path = path.to_owned();
        move |source| DataError::Io { path, action, source }
    };
    let failed = |source| DataError::Download { url: url.to_owned(), source: Box::new(source) };
    let wrong = |found: String, expected: String| DataError::WrongDownload { url: url.to_owned(), found, expected };
    fs::create_dir_all(folder).map_err(io(folder, "create"))?;
    let mut temporary = tempfile::Builder::new()
        .prefix(&format!(".{}.", file.name))
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(io(folder, "create a file in"))?;

    let response = agent.get(url).call().map_err(failed)?;
    let mut body = response.into_body().into_reader().take(file.size + 1);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    progress(&file.name, 0, file.size);
    loop {
        let length = body.read(&mut buffer).map_err(|error| failed(error.into()))?;
        if length == 0 {
            break;
        }
        received += length as u64;
        digest.update(&buffer[..length]);
        temporary.write_all(&buffer[..length]).map_err(io(temporary.path(), "write"))?;
        progress(&file.name, received.min(file.size), file.size);
    }
    if received != file.size {
        let more = if received > file.size { "more than " } else { "" };
        return Err(wrong(format!("{more}{} bytes", received.min(file.size)), format!("{} bytes", file.size)));
    }
    let sha256 = hexadecimal(&digest.finalize());
    if sha256 != file.sha256 {
        return Err(wrong(format!("SHA-256 {sha256}"), format!("SHA-256 {}", file.sha256)));
    }
    temporary.as_file().sync_all().map_err(io(temporary.path(), "write"))?;
    let path = folder.join(&file.name);
    temporary.persist(&path).map_err(|error| io(&path, "write")(error.error))?;
    Ok(path)
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
