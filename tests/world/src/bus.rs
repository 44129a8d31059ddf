//! The port `Bus`: it keeps what is posted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgood_core::notice::Notice;
use lastgood_engine::port::{Bus, CallFailed, How, Posted};

use crate::weather::{Fate, Sky, Weather};

/// A bus that remembers. What is sent twice is in it twice.
#[derive(Debug, Default)]
pub struct RecordingBus {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: Vec<Notice>,
    calls_failing: usize,
    answers_lost: usize,
    notices_refused: usize,
    refused: Option<String>,
    sky: Sky,
}

impl RecordingBus {
    /// An empty bus on which everything gets through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every notice that is on the bus, in the order in which it came.
    pub fn sent(&self) -> Vec<Notice> {
        self.lock().sent.clone()
    }

    /// Those that came after the first `known` ones.
    pub fn sent_after(&self, known: usize) -> Vec<Notice> {
        self.lock().sent.get(known..).unwrap_or_default().to_vec()
    }

    /// The next `calls` do not get through at all.
    pub fn fail_next(&self, calls: usize) {
        self.lock().calls_failing += calls;
    }

    /// The notices of the next `calls` are on the bus, but the caller does not hear of it.
    pub fn lose_next(&self, calls: usize) {
        self.lock().answers_lost += calls;
    }

    /// The next `notices` are refused, each by itself: the call gets through (AWS: PutEvents, FailedEntryCount).
    pub fn refuse_next(&self, notices: usize) {
        self.lock().notices_refused += notices;
    }

    /// From now on every notice is refused whose id has this text in it; `None`: none is.
    pub fn refuse(&self, text: Option<&str>) {
        self.lock().refused = text.map(str::to_owned);
    }

    /// From now on calls meet this weather.
    pub fn set_weather(&self, seed: u64, weather: Weather) {
        self.lock().sky.set(seed, weather);
    }

    /// How many faults there were of each kind.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.lock().sky.done.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus for RecordingBus {
    async fn post(&self, notices: &[Notice]) -> Result<Vec<Posted>, CallFailed> {
        let mut state = self.lock();
        let failed = |why: &str| Err(CallFailed::new(How::Unanswered, "events:PutEvents", why));
        if state.calls_failing > 0 {
            state.calls_failing -= 1;
            return failed("the bus is out of reach");
        }
        let fate = state.sky.fate();
        if matches!(fate, Fate::Unheard | Fate::Throttled) {
            return failed("the call was not heard");
        }
        let entries_refused = state.sky.weather.entries_refused;
        let mut posted = Vec::new();
        for notice in notices {
            if state.refused.as_ref().is_some_and(|text| notice.id.contains(text)) {
                posted.push(Posted::NotSent("InternalFailure".to_owned()));
            } else if state.notices_refused > 0 {
                state.notices_refused -= 1;
                posted.push(Posted::NotSent("InternalFailure".to_owned()));
            } else if state.sky.strikes(entries_refused, "entries refused") {
                posted.push(Posted::NotSent("ThrottlingException".to_owned()));
            } else {
                state.sent.push(notice.clone());
                posted.push(Posted::Sent);
            }
        }
        if fate == Fate::Unanswered {
            return failed("the answer is lost");
        }
        if state.answers_lost > 0 {
            state.answers_lost -= 1;
            return failed("the answer is lost");
        }
        Ok(posted)
    }
}
