use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::clock::now;

/// A resource that takes writes in the order of their tokens: what a lease protects.
#[derive(Debug)]
pub(super) struct Register {
    address: SocketAddr,
}

#[derive(Debug)]
struct Kept {
    /// Locks of more leases than one have several tokens at once: theirs are noted only.
    leases: BTreeMap<String, u32>,
    highest: HashMap<String, u64>,
    log: File,
}

impl Register {
    /// Listens until the process ends.
    pub(super) fn start(log: &Path, leases: BTreeMap<String, u32>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Mutex::new(Kept { leases, highest: HashMap::new(), log: File::create(log)? }));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                // It ends with the worker's connection.
                thread::spawn(move || serve(stream, &kept));
            }
        });
        Ok(Self { address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Kept>) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if let Some((key, fence)) = line.split_once(' ')
            && let Ok(fence) = fence.parse::<u64>()
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(leases) = kept.leases.get(key).copied() {
                let highest = kept.highest.entry(key.to_owned()).or_default();
                let accepted = leases > 1 || fence >= *highest;
                *highest = fence.max(*highest);
                writeln!(kept.log, "wrote {} {key} {fence} {} .", now(), u8::from(accepted))?;
            }
        }
        answers.write_all(b"ok\n")?;
    }
    Ok(())
}
