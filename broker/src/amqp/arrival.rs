//! A delivery as it came, before anybody sees it.

use std::{collections::VecDeque, sync::Arc};

use lapin::types::AMQPValue;

use super::{acker::AckChannel, publisher::Publisher, settle::AmqpSettle, table};
use crate::{Message, TaskId, message::names};

#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: TaskId,
    pub(super) message: Message,
    pub(super) settle: AmqpSettle,
    /// How often it was delivered and not settled.
    pub(super) deaths: u32,
    /// Whether that number is in the message or kept by the broker. A classic queue says only that there was another delivery.
    pub(super) counted: bool,
    /// Whether it came from the suspects' queue.
    pub(super) suspect: bool,
}

impl Arrival {
    pub(super) fn read(
        raw: lapin::message::Delivery,
        channel: Arc<AckChannel>,
        suspect: bool,
        publisher: Arc<Publisher>,
    ) -> Self {
        channel.delivered();
        let count = raw.properties.headers().as_ref().and_then(|table| table.inner().get("x-delivery-count"));
        let count = count.and_then(as_count);
        let message = table::message(&raw.properties, raw.data);
        let earlier = message.headers.int(names::DELIVERIES).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let counted = count.is_some() || !raw.redelivered;
        let since = if counted { count.unwrap_or(0) } else { 1 };
        let id = message.id();
        Self {
            settle: AmqpSettle::new(channel, raw.delivery_tag, id.clone(), publisher),
            id,
            deaths: earlier.saturating_add(since),
            message,
            counted,
            suspect,
        }
    }

    /// The delivery's number, from 1.
    pub(super) fn number(&self) -> u32 {
        self.deaths.saturating_add(1)
    }
}

fn as_count(value: &AMQPValue) -> Option<u32> {
    match value {
        AMQPValue::LongLongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongUInt(count) => Some(*count),
        AMQPValue::ShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortUInt(count) => Some((*count).into()),
        AMQPValue::ShortShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortShortUInt(count) => Some((*count).into()),
        _ => None,
    }
}

/// What was fetched and not yet handed out, in the order of handing out: at most the prefetch of each lane.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// One per lane, the highest priority first.
    lanes: Vec<VecDeque<Arrival>>,
    suspects: VecDeque<Arrival>,
    /// Whether it is the suspects' turn. In turns: neither side waits for the other to be empty.
    suspects_next: bool,
}

impl Fetched {
    pub(super) fn push(&mut self, lane: usize, arrival: Arrival) {
        if arrival.suspect {
            self.suspects.push_back(arrival);
            return;
        }
        if self.lanes.len() <= lane {
            self.lanes.resize_with(lane + 1, VecDeque::new);
        }
        self.lanes[lane].push_back(arrival);
    }

    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The next one to hand out; a suspect only where `calm`. One whose original is still being removed waits for that:
    /// handed out before, it would be there twice if its worker died at once.
    pub(super) fn pop(&mut self, calm: bool, being_moved: impl Fn(&TaskId) -> bool) -> Option<Arrival> {
        if calm
            && self.suspects_next
            && let Some(arrival) = self.suspects.pop_front()
        {
            self.suspects_next = false;
            return Some(arrival);
        }
        let lane = self.lanes.iter_mut().find(|lane| lane.front().is_some_and(|first| !being_moved(&first.id)));
        if let Some(arrival) = lane.and_then(VecDeque::pop_front) {
            self.suspects_next = true;
            return Some(arrival);
        }
        if calm { self.suspects.pop_front() } else { None }
    }

    /// All of it.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Arrival> {
        let Self { lanes, suspects, .. } = std::mem::take(self);
        lanes.into_iter().flatten().chain(suspects)
    }
}
