//! Delays as binary levels: a message waits once in each level whose bit is set in its delay.
//!
//! A delay is a number of units of 100 ms, rounded up, of 28 bits. Its bits, the highest first, are the first 28 words of the
//! message's routing key; the queue it is bound for is the rest. Level `n` is a topic exchange and a queue of the same name
//! whose messages expire after `2^n` units, to the exchange of level `n - 1`. The exchange looks at its own bit: `1` goes to its
//! queue, `0` straight on to the next exchange. After level 0 comes [`DELIVER`], to which each work queue is bound.
//!
//! Every message of a level waits equally long, so none is held up by one that came before it, and nothing has to be created
//! for a new length of delay. All of it is shared by every queue of a virtual host.

use std::{fmt::Write as _, time::Duration};

use futures_util::future::try_join_all;
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    connection::Link,
    errors::{Fault, NOT_FOUND, said},
    ladder::Ladder,
    table::{arguments, text},
};

/// The number of levels: 28 bits of 100 ms are 310 days.
const LEVELS: u8 = 28;
const UNIT: Duration = Duration::from_millis(100);

/// Where a message goes when it has waited long enough.
pub(super) const DELIVER: &str = "celeriac.delay.v1.deliver";

/// Where it goes from there when its queue is gone. Without it, it would go round in level 0 for ever, and 32 of its kind would
/// stop every delay there is: the broker's at-least-once dead-lettering has no more than that in flight.
pub(super) const UNDELIVERABLE: &str = "celeriac.undeliverable";

const DURABLE_EXCHANGE: ExchangeDeclareOptions =
    ExchangeDeclareOptions { passive: false, durable: true, auto_delete: false, internal: false, nowait: false };

/// How many messages wait in all levels, whatever queue they are bound for.
pub(super) async fn waiting(link: &Link) -> Result<u64, Fault> {
    let mut waiting = 0;
    for ladder in Ladder::ALL {
        // That nothing waits is never said by hearsay.
        if waiting > 0 && link.declared.is_absent(ladder.marker()) {
            continue;
        }
        let channel = link.channel().await?;
        for level in 0..LEVELS {
            let passive = QueueDeclareOptions::durable().passive();
            match channel.queue_declare(ladder.level(level).into(), passive, FieldTable::default()).await {
                Ok(queue) => waiting += u64::from(queue.message_count()),
                // Nothing was delayed yet: the levels come with the first delay.
                Err(error) if said(&error, NOT_FOUND).is_some() => {
                    link.declared.found_absent(ladder.marker());
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(waiting)
}

/// The exchange and routing key that keep a message from `queue` for `delay`; none where that is zero.
///
/// It starts at the highest level whose bit is set: the levels above would only pass it on.
pub(super) fn route(ladder: Ladder, delay: Duration, queue: &str) -> Option<(String, String)> {
    let units = u32::try_from(delay.as_nanos().div_ceil(UNIT.as_nanos())).unwrap_or(u32::MAX).min((1 << LEVELS) - 1);
    let highest = units.checked_ilog2()?;
    let mut key = String::with_capacity(2 * usize::from(LEVELS) + queue.len());
    for level in (0..LEVELS).rev() {
        key.push_str(if units >> level & 1 == 1 { "1." } else { "0." });
    }
    key.push_str(queue);
    Some((format!("{}.{highest}", ladder.marker()), key))
}

/// The queue and the delay that a routing key of ours names.
pub(super) fn parse(key: &str) -> Option<(&str, Duration)> {
    let (digits, queue) = key.split_at_checked(2 * usize::from(LEVELS))?;
    let mut units = 0_u32;
    for digit in digits.as_bytes().chunks(2) {
        units = units << 1 | u32::from(*digit == *b"1.");
    }
    Some((queue, UNIT * units))
}

/// The key that binds `queue` to [`DELIVER`]: exactly as many words as a delay has digits, so that a queue `b` does not get
/// what is bound for a queue `a.b`.
fn delivery_key(queue: &str) -> String {
    format!("{}{queue}", "*.".repeat(LEVELS.into()))
}

/// Binds a queue, so that delayed messages reach it.
pub(super) async fn bind(channel: &Channel, queue: &str) -> Result<(), lapin::Error> {
    let key = ShortString::from(delivery_key(queue));
    channel.queue_bind(queue.into(), DELIVER.into(), key, QueueBindOptions::default(), FieldTable::default()).await
}

/// Makes sure that the levels are there. `distrust` looks at each part instead of the marker alone.
pub(super) async fn declare(link: &Link, ladder: Ladder, distrust: bool) -> Result<(), Fault> {
    if !distrust && is_marked(link, ladder).await? {
        return Ok(());
    }
    Ok(declare_all(&link.channel().await?, ladder).await?)
}

async fn is_marked(link: &Link, ladder: Ladder) -> Result<bool, Fault> {
    let passive = ExchangeDeclareOptions { passive: true, ..DURABLE_EXCHANGE };
    let (channel, marker) = (link.channel().await?, ladder.marker().into());
    match channel.exchange_declare(marker, ExchangeKind::Fanout, passive, FieldTable::default()).await {
        Ok(()) => Ok(true),
        Err(error) if said(&error, NOT_FOUND).is_some() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Looks whether every part is there, without making any.
pub(super) async fn verify(link: &Link) -> Result<(), Fault> {
    verify_ladder(link, Ladder::Usual).await?;
    if is_marked(link, Ladder::Preferred).await? { verify_ladder(link, Ladder::Preferred).await } else { Ok(()) }
}

async fn verify_ladder(link: &Link, ladder: Ladder) -> Result<(), Fault> {
    let channel = link.channel().await?;
    let names: Vec<ShortString> = (0..LEVELS).map(|level| ladder.level(level).into()).collect();
    let exchange = |name: ShortString, kind| {
        let passive = ExchangeDeclareOptions { passive: true, ..DURABLE_EXCHANGE };
        channel.exchange_declare(name, kind, passive, FieldTable::default())
    };
    exchange(UNDELIVERABLE.into(), ExchangeKind::Fanout).await?;
    exchange(DELIVER.into(), ExchangeKind::Topic).await?;
    try_join_all(names.iter().map(|name| exchange(name.clone(), ExchangeKind::Topic))).await?;
    try_join_all(
        names
            .into_iter()
            .map(|name| channel.queue_declare(name, QueueDeclareOptions::durable().passive(), FieldTable::default())),
    )
    .await?;
    Ok(())
}

/// All requests of a step are on their way at once: the broker answers them in order.
async fn declare_all(channel: &Channel, ladder: Ladder) -> Result<(), lapin::Error> {
    let exchange = |name: String, kind, arguments| {
        channel.exchange_declare(ShortString::from(name), kind, DURABLE_EXCHANGE, arguments)
    };
    exchange(UNDELIVERABLE.into(), ExchangeKind::Fanout, FieldTable::default()).await?;
    let parking = arguments([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(super::topology::UNLIMITED_DELIVERIES)),
    ]);
    channel.queue_declare(UNDELIVERABLE.into(), QueueDeclareOptions::durable(), parking).await?;
    channel
        .queue_bind(
            UNDELIVERABLE.into(),
            UNDELIVERABLE.into(),
            ShortString::default(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let alternate = arguments([("alternate-exchange", text(UNDELIVERABLE))]);
    exchange(DELIVER.into(), ExchangeKind::Topic, alternate).await?;
    try_join_all((0..LEVELS).map(|level| exchange(ladder.level(level), ExchangeKind::Topic, FieldTable::default())))
        .await?;
    try_join_all((0..LEVELS).map(|level| {
        let name = ShortString::from(ladder.level(level));
        channel.queue_declare(name, QueueDeclareOptions::durable(), level_arguments(ladder, level))
    }))
    .await?;
    try_join_all((0..LEVELS).map(|level| {
        let name = ShortString::from(ladder.level(level));
        let key = ShortString::from(level_key(level, '1'));
        channel.queue_bind(name.clone(), name, key, QueueBindOptions::default(), FieldTable::default())
    }))
    .await?;
    try_join_all((0..LEVELS).map(|level| {
        let (name, next) = (ShortString::from(ladder.level(level)), ShortString::from(next(ladder, level)));
        let key = ShortString::from(level_key(level, '0'));
        channel.exchange_bind(next, name, key, ExchangeBindOptions::default(), FieldTable::default())
    }))
    .await?;
    exchange(ladder.marker().into(), ExchangeKind::Fanout, FieldTable::default()).await
}

/// The exchange after a level.
fn next(ladder: Ladder, level: u8) -> String {
    level.checked_sub(1).map_or_else(|| DELIVER.to_owned(), |level| ladder.level(level))
}

/// Matches the keys whose bit for `level` is `bit`.
fn level_key(level: u8, bit: char) -> String {
    let mut key = "*.".repeat((LEVELS - 1 - level).into());
    // Writing to a string does not fail.
    let _ = write!(key, "{bit}.#");
    key
}

/// At-least-once dead-lettering, which wants `reject-publish`: a message leaves a level only when the next place has it.
fn level_arguments(ladder: Ladder, level: u8) -> FieldTable {
    let ttl = i64::try_from(UNIT.as_millis()).unwrap_or(i64::MAX) << level;
    arguments([
        ("x-queue-type", text("quorum")),
        ("x-message-ttl", AMQPValue::LongLongInt(ttl)),
        ("x-dead-letter-exchange", text(&next(ladder, level))),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::MAX_DELAY;

    /// What the broker does with a key that enters at an exchange: the sum of the levels it waits in.
    fn waits(exchange: &str, key: &str) -> Duration {
        let entered: u8 = exchange.rsplit('.').next().unwrap().parse().unwrap();
        let words: Vec<&str> = key.split('.').collect();
        (0..=entered)
            .filter(|level| words[usize::from(LEVELS - 1 - level)] == "1")
            .map(|level| UNIT * (1 << level))
            .sum()
    }

    proptest! {
        #[test]
        fn a_message_waits_at_least_its_delay_and_less_than_one_unit_longer(micros in 1..MAX_DELAY.as_secs() * 1_000_000) {
            let delay = Duration::from_micros(micros);
            let (exchange, key) = route(Ladder::Usual, delay, "a.b").unwrap();
            let waits = waits(&exchange, &key);
            prop_assert!(waits >= delay && waits < delay + UNIT, "{waits:?} for {delay:?}");
            prop_assert_eq!(parse(&key), Some(("a.b", waits)));
        }
    }

    #[test]
    fn no_delay_needs_no_level_and_the_longest_fits() {
        assert_eq!(route(Ladder::Usual, Duration::ZERO, "q"), None);
        let (exchange, key) = route(Ladder::Preferred, MAX_DELAY, &"q".repeat(crate::QueueName::MAX_LEN)).unwrap();
        assert_eq!(exchange, "celeriac.delay.v1.preferred.27");
        assert_eq!(key.len(), 255);
        assert!(waits(&exchange, &key) >= MAX_DELAY);
    }

    #[test]
    fn a_level_matches_its_own_bit() {
        assert_eq!(level_key(27, '1'), "1.#");
        assert_eq!(level_key(25, '0'), "*.*.0.#");
        assert_eq!(next(Ladder::Usual, 0), DELIVER);
        assert_eq!(next(Ladder::Usual, 3), "celeriac.delay.v1.2");
    }
}
