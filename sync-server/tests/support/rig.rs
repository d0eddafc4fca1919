//! Disks that can be filled or lose their power, and a way to say that there are none here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Size of the disk that can lose its power. 64 MiB: the smallest on which ext4 keeps a journal of useful size.
const DISK_MIB: u64 = 64;

/// `EXT4_IOC_SHUTDOWN` without flushing the journal: everything that is not on the disk by now is gone.
const SHUT_DOWN: &str = "import fcntl,os,struct,sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// Says, past the test's captured output, that something was not tested.
pub(crate) fn skipped(test: &str, why: &str) {
    // In one piece: others write there at the same time.
    std::io::stderr().write_all(format!("\nSKIPPED {test}: {why}\n").as_bytes()).unwrap();
}

/// Runs a program; what it complained about when it failed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let done = Command::new(program).args(arguments).output();
    let done = done.map_err(|error| format!("cannot run {program}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim()))
}

/// A mounted file system. Dropping it unmounts it, whoever still uses it.
#[derive(Debug)]
pub(crate) struct Mount {
    place: TempDir,
    image: Option<PathBuf>,
}

impl Mount {
    /// A small disk in memory.
    pub(crate) fn in_memory(kib: u64) -> Result<Self, String> {
        let mount = Self { place: tempfile::tempdir().unwrap(), image: None };
        let size = format!("size={kib}k,mode=0700");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", mount.path_text()])?;
        Ok(mount)
    }

    /// An ext4 of its own in `image`.
    pub(crate) fn ext4(image: &Path) -> Result<Self, String> {
        let file = std::fs::File::create(image).unwrap();
        file.set_len(DISK_MIB << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()])?;
        let mount = Self { place: tempfile::tempdir().unwrap(), image: Some(image.to_owned()) };
        mount.mount()?;
        Ok(mount)
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Cuts the power: from now on every access fails, and what was not yet on the disk is lost.
    pub(crate) fn cut_power(&self) -> Result<(), String> {
        run("python3", &["-c", SHUT_DOWN, self.path_text()])
    }

    /// Mounts it again. Nobody may use it.
    pub(crate) fn restore_power(&self) -> Result<(), String> {
        run("umount", &[self.path_text()])?;
        self.mount()
    }

    fn mount(&self) -> Result<(), String> {
        let image = self.image.as_ref().expect("only a disk with an image can be mounted again");
        run("mount", &["-o", "loop", image.to_str().unwrap(), self.path_text()])
    }

    fn path_text(&self) -> &str {
        self.path().to_str().unwrap()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l", self.path_text()]).ok();
    }
}
