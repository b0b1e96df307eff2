use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a file holds, by how it begins and not by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// No byte.
    Empty,
    /// SafeTensors: the length of a header, and the header in JSON.
    Safetensors,
    /// An array of NumPy.
    Npy,
    /// Several arrays of NumPy in a zip archive.
    Npz,
    /// Another zip archive, as PyTorch writes them.
    Zip,
    /// A pickle, as PyTorch wrote them before 1.6.
    Pickle,
    /// A tar archive, as PyTorch wrote them before 0.1.10.
    Tar,
    /// Burn's own format.
    Burnpack,
    /// Compressed by gzip.
    Gzip,
    /// HDF5, as Keras and MATLAB write it.
    Hdf5,
    /// A page of the web, as a failed download leaves it.
    Html,
    /// A pointer of Git LFS in the place of a file.
    GitLfs,
    /// Other text.
    Text,
    /// None of these.
    Unknown,
}

impl FileKind {
    /// What the file at `path` holds.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        const ENOUGH: u64 = 512;
        let mut beginning = Vec::new();
        File::open(path)?.take(ENOUGH).read_to_end(&mut beginning)?;
        Ok(Self::of_beginning(&beginning))
    }

    fn of_beginning(bytes: &[u8]) -> Self {
        const ZIP: &[u8] = b"PK\x03\x04";
        /// A legacy file of PyTorch that is pickled as text begins with this number.
        const MAGIC_AS_TEXT: &[u8] = b"L119547037146038801333356";
        match bytes {
            [] => Self::Empty,
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Self::Safetensors,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Self::Npy,
            _ if bytes.starts_with(ZIP) && first_member(bytes).ends_with(b".npy") => Self::Npz,
            _ if bytes.starts_with(ZIP) || bytes.starts_with(b"PK\x05\x06") => Self::Zip,
            [0x80, 2..=5, ..] => Self::Pickle,
            _ if bytes.starts_with(MAGIC_AS_TEXT) => Self::Pickle,
            _ if bytes.get(257..262) == Some(b"ustar") => Self::Tar,
            _ if bytes.starts_with(b"NRUB") => Self::Burnpack,
            [0x1f, 0x8b, ..] => Self::Gzip,
            _ if bytes.starts_with(b"\x89HDF\r\n\x1a\n") => Self::Hdf5,
            _ if bytes.starts_with(b"version https://git-lfs") => Self::GitLfs,
            _ if is_text(bytes) => match bytes.trim_ascii_start() {
                [b'<', b'!' | b'h' | b'H' | b'?', ..] => Self::Html,
                _ => Self::Text,
            },
            _ => Self::Unknown,
        }
    }
}

/// The name of the first member of a zip archive
/// ([APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), 4.3.7).
fn first_member(zip: &[u8]) -> &[u8] {
    const NAME: usize = 30;
    let Some(&[low, high]) = zip.get(26..28) else { return b"" };
    zip.get(NAME..NAME + usize::from(u16::from_le_bytes([low, high]))).unwrap_or(b"")
}

/// Whether all of it is text in UTF-8, but for a character that the end cuts.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|letter| !letter.is_control() || letter.is_whitespace())
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "an empty file",
            Self::Safetensors => "a SafeTensors file",
            Self::Npy => "an .npy array of NumPy",
            Self::Npz => "an .npz archive of NumPy",
            Self::Zip => "a zip archive",
            Self::Pickle => "a pickle of Python",
            Self::Tar => "a tar archive",
            Self::Burnpack => "a .bpk file of Burn",
            Self::Gzip => "a gzip file, which gunzip unpacks",
            Self::Hdf5 => "an HDF5 file",
            Self::Html => "a page in HTML",
            Self::GitLfs => "a pointer of Git LFS, for which `git lfs pull` fetches the file",
            Self::Text => "text, as CSV is",
            Self::Unknown => "bytes of no format that is known here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginnings() {
        let zip =
            |name: &str| [b"PK\x03\x04".as_slice(), &[0; 22], &[name.len() as u8, 0, 0, 0], name.as_bytes()].concat();
        let tar = [[0; 257].as_slice(), b"ustar"].concat();
        for (bytes, kind) in [
            (b"".to_vec(), FileKind::Empty),
            (b"\x80\x02\0\0\0\0\0\0{\"a\":".to_vec(), FileKind::Safetensors),
            (b"\x93NUMPY\x01\0".to_vec(), FileKind::Npy),
            (zip("G.npy"), FileKind::Npz),
            (zip("archive/data.pkl"), FileKind::Zip),
            (b"\x80\x02}q\0.".to_vec(), FileKind::Pickle),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), FileKind::Pickle),
            (tar, FileKind::Tar),
            (b"NRUB\x01\0".to_vec(), FileKind::Burnpack),
            (b"\x1f\x8b\x08\0".to_vec(), FileKind::Gzip),
            (b"\x89HDF\r\n\x1a\n".to_vec(), FileKind::Hdf5),
            (b"<!DOCTYPE html>".to_vec(), FileKind::Html),
            (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), FileKind::GitLfs),
            ("0.5,1.5\n2,\u{e9}".as_bytes().to_vec(), FileKind::Text),
            ("cut \u{e9}".as_bytes()[..5].to_vec(), FileKind::Text),
            (vec![255; 64], FileKind::Unknown),
            (vec![0; 16], FileKind::Unknown),
        ] {
            assert_eq!(FileKind::of_beginning(&bytes), kind, "{bytes:?}");
        }
    }
}
