//! Where a queue may not be: several machines can't share SQLite's locks and its shared memory.

use std::path::Path;

use super::fault::Fault;

/// Kernel names of file systems whose locks or shared memory other machines don't see. Of FUSE only those known to reach
/// over a network: some local ones (NTFS, overlays of rootless containers) work.
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "coda",
    "9p",
    "ceph",
    "lustre",
    "gfs",
    "gfs2",
    "ocfs2",
    "beegfs",
    "gpfs",
    "glusterfs",
    "davfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.ceph-fuse",
    "fuse.davfs",
    "fuse.goofys",
    "fuse.mount-s3",
    "fuse.smbnetfs",
    "fuse.juicefs",
];

/// Refuses a folder on a network file system, as far as the system tells (Linux does).
pub(super) fn check(folder: &Path) -> Result<(), Fault> {
    let folder = folder.canonicalize().map_err(|fault| {
        Fault::Failed(format!("its folder {} can't be opened: {fault}; create it first", folder.display()))
    })?;
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return Ok(()) };
    match mounted_as(&mounts, &folder).filter(|kind| NETWORK.contains(kind)) {
        None => Ok(()),
        Some(kind) => Err(Fault::Failed(format!(
            "it is on a network file system ({kind}), where SQLite's locks don't hold; put it on a local disk, or use RabbitMQ"
        ))),
    }
}

/// The kind of the file system that `folder` is on, by the text of `/proc/self/mountinfo`.
fn mounted_as<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        Some((unescaped(mount.split(' ').nth(4)?), kind.split(' ').next()?))
    });
    // Later mounts lie over earlier ones on the same point.
    mounts.filter(|(point, _)| folder.starts_with(point)).max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

/// The kernel writes blanks and backslashes as `\040`.
fn unescaped(point: &str) -> String {
    let mut out = String::with_capacity(point.len());
    let mut rest = point;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        if let Some(byte) = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(char::from(byte));
            rest = &after[3..];
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /mnt rw - tmpfs none rw
31 30 0:45 / /mnt/share rw,relatime shared:9 master:1 - nfs4 server:/export rw,vers=4.2
32 30 0:46 / /mnt/with\\040blank rw - fuse.sshfs user@host: rw
33 31 0:47 / /mnt/share/local rw - xfs /dev/vdb rw
";

    #[test]
    fn the_innermost_mount_decides() {
        for (folder, kind) in [
            ("/var/lib", "ext4"),
            ("/mnt", "tmpfs"),
            ("/mnt/share", "nfs4"),
            ("/mnt/share/deep/er", "nfs4"),
            ("/mnt/shared", "tmpfs"),
            ("/mnt/share/local/x", "xfs"),
            ("/mnt/with blank/x", "fuse.sshfs"),
        ] {
            assert_eq!(mounted_as(MOUNTS, Path::new(folder)), Some(kind), "{folder}");
        }
    }

    #[test]
    fn network_file_systems_are_known() {
        for kind in ["nfs4", "cifs", "9p", "fuse.sshfs"] {
            assert!(NETWORK.contains(&kind));
        }
        for kind in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "zfs", "virtiofs"] {
            assert!(!NETWORK.contains(&kind));
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let fault = check(Path::new("/no/such/folder")).unwrap_err();
        assert!(format!("{fault:?}").contains("/no/such/folder"));
    }
}
