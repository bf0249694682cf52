//! Where the file may not be: several machines can't share SQLite's locks and its shared memory.

use std::path::Path;

use crate::Fault;

/// Kernel names of file systems whose locks or shared memory other machines don't see.
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
];

/// Kinds of FUSE that reach over a network; some local ones (NTFS, overlays of rootless containers) work.
const NETWORK_FUSE: &[&str] = &[
    "sshfs",
    "s3fs",
    "rclone",
    "gcsfuse",
    "glusterfs",
    "ceph-fuse",
    "davfs",
    "goofys",
    "mount-s3",
    "smbnetfs",
    "juicefs",
];

/// Refuses a folder on a network file system, as far as the system tells (Linux does).
///
/// # Errors
///
/// [`Fault::Refused`], also where there is no such folder.
pub fn check(folder: &Path) -> Result<(), Fault> {
    let device = std::fs::metadata(folder).map(|metadata| device(&metadata)).map_err(|fault| {
        Fault::Refused(format!("its folder {} can't be opened: {fault}; create it first", folder.display()))
    })?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match mounted_as(&mounts, &device).filter(|kind| is_network(kind)) {
        None => Ok(()),
        Some(kind) => Err(Fault::Refused(format!(
            "it is on a network file system ({kind}), where SQLite's locks don't hold; put it on a local disk, or use a server: RabbitMQ for tasks, Redis for locks"
        ))),
    }
}

fn is_network(kind: &str) -> bool {
    NETWORK.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|kind| NETWORK_FUSE.contains(&kind))
}

/// A device as the kernel writes it in `/proc/self/mountinfo`.
#[cfg(unix)]
fn device(metadata: &std::fs::Metadata) -> String {
    let device = std::os::unix::fs::MetadataExt::dev(metadata);
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    format!("{major}:{minor}")
}

#[cfg(not(unix))]
fn device(_: &std::fs::Metadata) -> String {
    String::new()
}

/// The kind of the file system on a device.
fn mounted_as<'m>(mounts: &'m str, device: &str) -> Option<&'m str> {
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == device).then(|| kind.split(' ').next())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 30 0:45 / /mnt/share rw,relatime shared:9 master:1 - nfs4 server:/export rw,vers=4.2
32 30 0:46 / /mnt/with\\040blank rw - fuse.sshfs user@host: rw
33 30 0:47 / /mnt/usb rw - fuseblk /dev/sdb rw
";

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for (device, network) in [("254:0", false), ("0:45", true), ("0:46", true), ("0:47", false), ("0:4", false)] {
            assert_eq!(mounted_as(MOUNTS, device).is_some_and(is_network), network, "{device}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_folder_of_the_process_is_found_among_the_mounts() {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let device = device(&std::fs::metadata("/proc").unwrap());
        assert_eq!(mounted_as(&mounts, &device), Some("proc"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let fault = check(Path::new("/no/such/folder")).unwrap_err();
        assert!(format!("{fault:?}").contains("/no/such/folder"));
    }
}
