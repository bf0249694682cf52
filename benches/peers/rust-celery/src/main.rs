//! The no-op job on the crate `celery`: `rust-celery-peer produce COUNT` or `rust-celery-peer work`.

use celery::prelude::*;

const QUEUE: &str = "bench.peer.rust-celery";

#[celery::task(name = "noop", acks_late = true)]
fn noop(padding: String) -> TaskResult<()> {
    drop(padding);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let url = std::env::var("AMQP_URL")?;
    let app = celery::app!(
        broker = AMQPBroker { url },
        tasks = [noop],
        task_routes = ["*" => QUEUE],
        prefetch_count = 128,
    )
    .await?;
    match words.first().map(String::as_str) {
        Some("produce") => {
            for _ in 0..words.get(1).ok_or("how many?")?.parse::<u32>()? {
                app.send_task(noop::new("x".repeat(150))).await?;
            }
            app.close().await?;
        }
        _ => app.consume_from(&[QUEUE]).await?,
    }
    Ok(())
}
