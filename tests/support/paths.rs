//! The programs that cargo built beside the running test.

use std::env;
use std::path::PathBuf;

/// The path of a binary of the workspace, such as `celeriac`.
pub fn binary(name: &str) -> PathBuf {
    built(name, &format!("cargo build --workspace --bin {name}"))
}

/// The path of an example of the workspace, such as `quickstart`.
pub fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"), &format!("cargo build --workspace --example {name}"))
}

fn built(path: &str, command: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    // target/<profile>/deps/it-<hash>
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join(path);
    assert!(path.is_file(), "{} is not there: build it with `{command}`, or run `cargo xtask test`", path.display());
    path
}
