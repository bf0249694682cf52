use super::{link::Link, reading::Condition, reading::Read, schema::SCHEMA};
use crate::{
    Error, Queue,
    transport::{Finding, Severity},
};

/// The WAL is rewritten from its start after 4 MB; one that is much larger has a reader that never ends.
const LARGE_WAL: u64 = 256 * 1024 * 1024;

pub(super) async fn diagnose(link: &Link, queues: &[Queue]) -> Result<Vec<Finding>, Error> {
    let condition = link.read(Read::Diagnose).await?;
    let mut findings = file(link, &condition);
    findings.push(claims(link, &condition));
    for queue in queues {
        let dead = link.read(|answer| Read::Queue(queue.name.clone(), answer)).await?;
        if dead.is_none() {
            let text = format!("it has not been declared; the first worker or publisher of {} does it", queue.name);
            findings.push(Finding::new(Severity::Warning, format!("queue {}", queue.name), text));
        }
    }
    Ok(findings)
}

fn file(link: &Link, condition: &Condition) -> Vec<Finding> {
    let path = link.location.path.as_path();
    let wal = std::fs::metadata(link.location.path.beside("-wal")).map_or(0, |wal| wal.len());
    let synchronous = match condition.synchronous {
        2 | 3 => (Severity::Fine, "full: what is published is on disk"),
        _ => (
            Severity::Warning,
            "normal: a power cut may take what was published last; leave synchronous=normal out of the URL to change it",
        ),
    };
    let check = if condition.check == "ok" {
        Finding::new(Severity::Fine, "integrity", "the quick check found nothing")
    } else {
        let text =
            format!("{}; stop every process and save what can be read with `sqlite3 FILE .recover`", condition.check);
        Finding::new(Severity::Error, "integrity", text)
    };
    let shown = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let text = format!(
        "{}: {}, of which {} are free for new messages (`VACUUM` gives them back to the disk), journal {}",
        shown.display(),
        mebibytes(condition.bytes),
        mebibytes(condition.free_bytes),
        condition.journal,
    );
    let wal_finding = if wal > LARGE_WAL {
        let text = "a program keeps reading and never ends its transaction; find and end it";
        (Severity::Warning, format!("{}: {text}", mebibytes(i64::try_from(wal).unwrap_or(i64::MAX))))
    } else {
        (Severity::Fine, mebibytes(i64::try_from(wal).unwrap_or(i64::MAX)))
    };
    vec![
        Finding::new(Severity::Fine, "file", text),
        Finding::new(wal_finding.0, "write-ahead log", wal_finding.1),
        Finding::new(synchronous.0, "synchronous", synchronous.1),
        Finding::new(
            Severity::Fine,
            "schema",
            format!("version {} of {}, SQLite {}", condition.version, SCHEMA.version(), condition.sqlite),
        ),
        check,
    ]
}

fn claims(link: &Link, condition: &Condition) -> Finding {
    let renewal = condition.oldest_renewal.map_or_else(
        || "none consumes".to_owned(),
        |age| format!("the longest since its last sign of life: {:.1} s", age.as_secs_f64()),
    );
    let text = format!("{} processes; {renewal}", condition.processes);
    if condition.orphans == 0 {
        return Finding::new(Severity::Fine, "claims", text);
    }
    let text = format!(
        "{text}; {} messages are claimed by processes that are gone, and come back {:?} after that while any worker runs",
        condition.orphans, link.location.claim_lease,
    );
    Finding::new(Severity::Warning, "claims", text)
}

fn mebibytes(bytes: i64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let size = bytes as f64 / (1024.0 * 1024.0);
    format!("{size:.1} MiB")
}
