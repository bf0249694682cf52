use std::{borrow::Cow, net, num, rc::Rc, sync::Arc};

use crate::TaskId;

/// What can be a part of a lock's key, or a tag: text, integers, booleans, ids, and `Option`s of them.
///
/// Equal values must give equal texts, on every machine: so floats are none. `None` means that no lock is taken.
///
/// For a type of your own:
///
/// ```
/// # use celeriac_broker::task::LockPart;
/// struct DealerId(u32);
///
/// impl LockPart for DealerId {
///     fn lock_part(&self) -> Option<String> {
///         self.0.lock_part()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be part of a lock's key, or a tag",
    label = "is neither text, integer, boolean nor id",
    note = "floats are none, since equal ones may be written differently; implement `LockPart` for a type of your own, or take the argument as a `String`"
)]
pub trait LockPart {
    /// The part's text; `None` where no lock is to be taken.
    fn lock_part(&self) -> Option<String>;
}

/// How many leases one run takes: an integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a lock's weight",
    label = "is no integer",
    note = "a weight says how many of the leases one run takes: a whole number"
)]
pub trait LockWeight {
    /// The weight; what is below 0 is 0, which takes nothing.
    fn lock_weight(&self) -> u32;
}

macro_rules! displayed {
    ($($ty:ty),* $(,)?) => { $(impl LockPart for $ty {
        fn lock_part(&self) -> Option<String> { Some(self.to_string()) }
    })* };
}
displayed!(
    str,
    String,
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    num::NonZeroU8,
    num::NonZeroU16,
    num::NonZeroU32,
    num::NonZeroU64,
    num::NonZeroU128,
    num::NonZeroUsize,
    num::NonZeroI8,
    num::NonZeroI16,
    num::NonZeroI32,
    num::NonZeroI64,
    num::NonZeroI128,
    num::NonZeroIsize,
    net::IpAddr,
    net::Ipv4Addr,
    net::Ipv6Addr,
    uuid::Uuid,
    TaskId,
);

macro_rules! behind {
    ($($pointer:ty),*) => { $(impl<T: LockPart + ?Sized> LockPart for $pointer {
        fn lock_part(&self) -> Option<String> { (**self).lock_part() }
    })* };
}
behind!(&T, Box<T>, Rc<T>, Arc<T>);

impl LockPart for Cow<'_, str> {
    fn lock_part(&self) -> Option<String> {
        (**self).lock_part()
    }
}

impl<T: LockPart> LockPart for Option<T> {
    fn lock_part(&self) -> Option<String> {
        self.as_ref()?.lock_part()
    }
}

macro_rules! weight {
    ($($ty:ty),*) => { $(impl LockWeight for $ty {
        #[allow(clippy::allow_attributes, unused_comparisons, reason = "written for signed integers too")]
        fn lock_weight(&self) -> u32 {
            if *self < 0 { 0 } else { u32::try_from(*self).unwrap_or(u32::MAX) }
        }
    })* };
}
weight!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_of_different_types_are_one_part_and_none_is_no_lock() {
        assert_eq!(7_u8.lock_part(), 7_i64.lock_part());
        assert_eq!("eu".lock_part(), Some(String::from("eu")).lock_part());
        assert_eq!(None::<u8>.lock_part(), None);
        assert_eq!(Box::new(Some(Arc::new(Cow::Borrowed("x")))).lock_part(), Some("x".to_owned()));
    }

    #[test]
    fn a_weight_below_zero_takes_nothing_and_a_huge_one_is_the_largest() {
        assert_eq!(((-3_i64).lock_weight(), 0_u8.lock_weight(), u64::MAX.lock_weight()), (0, 0, u32::MAX));
    }
}
