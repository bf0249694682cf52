//! Hashes a file of any size in constant memory.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

/// Read at once. Large enough for BLAKE3's widest lanes and few system calls, small enough for a slot each.
const CHUNK: usize = 128 * 1024;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) bytes: u64,
    pub(super) digest: String,
    pub(super) inode: Option<(u64, u64)>,
}

/// Hashes a file on a thread that may block. Dropping the future ends the reading within a chunk.
pub(super) async fn file(path: PathBuf) -> io::Result<Hashed> {
    let dropped = CancellationToken::new();
    let _guard = dropped.clone().drop_guard();
    tokio::task::spawn_blocking(move || read(&path, &dropped)).await.map_err(io::Error::other)?
}

fn read(path: &Path, dropped: &CancellationToken) -> io::Result<Hashed> {
    // Checked before it is opened: opening a FIFO that has taken the file's place would wait for a writer.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    let mut file = File::open(path)?;
    let inode = inode(&file.metadata()?);
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        if dropped.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more"));
        }
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&chunk[..read]);
                bytes += read as u64;
            }
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Hashed { bytes, digest: hasher.finalize().to_hex().to_string(), inode })
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
fn inode(metadata: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_have_equal_digests_and_others_have_not() {
        let folder = tempfile::tempdir().unwrap();
        let hashed = |name: &str, contents: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, contents).unwrap();
            read(&path, &CancellationToken::new()).unwrap()
        };
        let long = vec![7; CHUNK * 2 + 1];
        let one = hashed("a", &long);
        assert_eq!(one.bytes, long.len() as u64);
        assert_eq!(one.digest, hashed("b", &long).digest);
        assert_ne!(one.digest, hashed("c", &long[1..]).digest);
        assert_eq!(hashed("empty", b"").bytes, 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_in_a_file_s_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("target"), "secret").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("target", &link).unwrap();
        let fault = read(&link, &CancellationToken::new()).unwrap_err();
        assert!(fault.to_string().contains("no regular file"), "{fault}");
    }

    #[test]
    fn reading_ends_when_nobody_waits_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "x").unwrap();
        let dropped = CancellationToken::new();
        dropped.cancel();
        assert_eq!(read(&path, &dropped).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
