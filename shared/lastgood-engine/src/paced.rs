//! AWS at our pace: no call goes out without a token from our share of its action's bucket (see [`lastgood_core::pace`]).
//!
//! All functions take from the same buckets, which stand in the table, a few calls at a time. Who finds one empty waits
//! for it to fill, and gives up when its own time is up: what was not called is left to the next run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::lock::Mutex;
use lastgood_core::pace::{self, Share};
use lastgood_core::{Time, later};

use crate::call::{Answers, Call, Called};
use crate::port::{CallFailed, Clock, How, Saved, Store, Versioned};

/// How many calls are taken from a bucket at once: so many a run may leave unused.
pub const CALLS_TAKEN_AT_ONCE: u32 = 4;

/// A cloud that is asked no faster than our share allows.
#[derive(Debug)]
pub struct Paced<'a, S, C, K> {
    cloud: &'a C,
    store: &'a S,
    clock: &'a K,
    share: Share,
    stop_at: Time,
    /// Calls that were taken from the table and not made yet, each action's by itself: who waits for one kind of call
    /// keeps nobody from another.
    taken: Mutex<BTreeMap<&'static str, Arc<Mutex<u32>>>>,
    /// Calls that were taken for one thing and not made yet.
    kept: Mutex<BTreeMap<(&'static str, String), u32>>,
    throttled: AtomicUsize,
}

impl<'a, S: Store, C: Sync, K: Clock> Paced<'a, S, C, K> {
    /// `cloud`, asked until `stop_at`.
    pub fn new(store: &'a S, cloud: &'a C, clock: &'a K, share: Share, stop_at: Time) -> Self {
        let (taken, kept) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()));
        Self { cloud, store, clock, share, stop_at, taken, kept, throttled: AtomicUsize::new(0) }
    }

    /// How many calls AWS throttled all the same.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Waits until `calls` calls of `action` may be made.
    async fn wait(&self, action: &'static str, calls: usize) -> Result<(), CallFailed> {
        let taken = self.taken_of(action).await;
        // One after the other: whoever came first goes first, whatever source it is for.
        let mut left = taken.lock().await;
        for _ in 0..calls.max(1) {
            if *left == 0 {
                *left = self.take(action).await?;
            }
            *left -= 1;
        }
        Ok(())
    }

    /// Waits until `call` may be made, and keeps it for what it changes: whoever looks at something and then changes it
    /// waits before the look, and nothing comes between the two.
    pub(crate) async fn ready<A: Call>(&self, call: &A) -> Result<(), CallFailed> {
        self.wait(A::ACTION, 1).await?;
        let about = call.changes().unwrap_or_default().to_owned();
        *self.kept.lock().await.entry((A::ACTION, about)).or_default() += 1;
        Ok(())
    }

    /// Waits until `calls` calls of `action` may be made, of which one may be kept for `about`.
    async fn wait_unless_kept(&self, action: &'static str, about: &str, calls: usize) -> Result<(), CallFailed> {
        if self.take_kept(action, about).await {
            return if calls > 1 { self.wait(action, calls - 1).await } else { Ok(()) };
        }
        self.wait(action, calls).await
    }

    async fn take_kept(&self, action: &'static str, about: &str) -> bool {
        let mut kept = self.kept.lock().await;
        let Some(kept) = kept.get_mut(&(action, about.to_owned())).filter(|kept| **kept > 0) else { return false };
        *kept -= 1;
        true
    }

    async fn taken_of(&self, action: &'static str) -> Arc<Mutex<u32>> {
        Arc::clone(self.taken.lock().await.entry(action).or_default())
    }

    /// Takes some calls from the table's bucket: at least one.
    async fn take(&self, action: &'static str) -> Result<u32, CallFailed> {
        loop {
            let bucket = self.store.bucket(action).await?;
            let now = self.clock.now();
            let (record, version) = bucket.map_or((None, 0), |bucket| (Some(bucket.record), bucket.version));
            let taken = pace::take(record.as_ref(), pace::limit_of(action), self.share, now, CALLS_TAKEN_AT_ONCE);
            if taken.granted == 0 {
                if later(now, taken.wait_seconds) >= self.stop_at {
                    return Err(CallFailed::new(How::NotMade, action, "our share of its calls is used up for now"));
                }
                self.clock.pause(taken.wait_seconds).await;
                continue;
            }
            if let Saved::As(_) = self.store.save_bucket(action, &Versioned { record: taken.bucket, version }).await? {
                return Ok(taken.granted);
            }
            // Somebody else took from it meanwhile.
            if self.clock.now() >= self.stop_at {
                return Err(CallFailed::new(How::NotMade, action, "others kept taking from its bucket"));
            }
        }
    }

    /// Notes a throttled call: nobody makes another for a moment.
    async fn heard<T>(&self, action: &'static str, answer: Called<T>) -> Called<T> {
        if let Err(error) = &answer
            && error.how == How::Throttled
        {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(action, "throttled, within our share: somebody else uses the account's calls");
            *self.taken_of(action).await.lock().await = 0;
            // Should it not be saved, somebody else has just taken from it and will hear for himself.
            if let Ok(bucket) = self.store.bucket(action).await {
                let version = bucket.map_or(0, |bucket| bucket.version);
                let drained = Versioned { record: pace::drained(self.clock.now()), version };
                let _ = self.store.save_bucket(action, &drained).await;
            }
        }
        answer
    }
}

impl<A: Call, S: Store, C: Answers<A>, K: Clock> Answers<A> for Paced<'_, S, C, K> {
    async fn call(&self, call: &A) -> Called<A::Told> {
        if let Some(first) = A::FIRST {
            self.wait(first, 1).await?;
        }
        match call.changes() {
            Some(about) => self.wait_unless_kept(A::ACTION, about, call.times()).await?,
            None => self.wait(A::ACTION, call.times()).await?,
        }
        self.heard(A::ACTION, self.cloud.call(call).await).await
    }
}
