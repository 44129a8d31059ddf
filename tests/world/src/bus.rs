//! The port `Bus`: it keeps what is posted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgood_core::notice::{EVENT_SOURCE, Notice};
use lastgood_core::watch::Part;
use lastgood_engine::port::{Bus, CallFailed, How, Looked, Posted};

use crate::access::{Access, Need};
use crate::weather::{Fate, Sky, Weather};

/// The rule that hands notices to people.
pub const NOTICE_RULE: &str = "NoticeRule";

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
    /// Who may what, and what the bus is called.
    guard: Option<(Access, String)>,
    sky: Sky,
    /// What of it and of its rules is missing or off.
    broken: BTreeSet<Part>,
}

fn is_of_bus(part: &Part) -> bool {
    matches!(part, Part::Bus(_) | Part::BusOpen(_))
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

    /// Somebody takes these parts away, and puts all others back. Not a call.
    pub fn breaks(&self, parts: &[Part]) {
        self.lock().broken = parts.iter().cloned().collect();
    }

    /// From now on calls are judged: the bus has this ARN.
    pub fn guard(&self, access: Access, arn: &str) {
        self.lock().guard = Some((access, arn.to_owned()));
    }

    /// How many faults there were of each kind.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.lock().sky.done.clone()
    }

    /// What such a call tells to be broken.
    fn look(
        &self,
        action: &'static str,
        on: impl Fn(&str) -> String,
        tells: impl Fn(&Part) -> bool,
    ) -> Result<Vec<Part>, CallFailed> {
        let mut state = self.lock();
        if let Some((access, arn)) = &state.guard {
            let needs = [Need::new(action, on(arn))];
            access.judge(&needs).map_err(|need| CallFailed::new(How::Refused, action, need.to_string()))?;
        }
        match state.sky.fate() {
            Fate::Through => Ok(state.broken.iter().filter(|part| tells(part)).cloned().collect()),
            Fate::Unheard | Fate::Throttled | Fate::Unanswered => {
                Err(CallFailed::new(How::Unanswered, action, "the call was not heard"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus for RecordingBus {
    async fn broken(&self) -> Looked {
        let mut looked = Looked::default();
        looked.take(self.look("events:DescribeEventBus", str::to_owned, is_of_bus));
        let rule = |arn: &str| format!("{}/{NOTICE_RULE}", arn.replace("event-bus/", "rule/"));
        looked.take(self.look("events:DescribeRule", rule, |part| !is_of_bus(part)));
        looked
    }

    fn notice_rule(&self) -> Option<&str> {
        Some(NOTICE_RULE)
    }

    async fn post(&self, notices: &[Notice]) -> Result<Vec<Posted>, CallFailed> {
        let mut state = self.lock();
        // A bus that is missing takes every event and drops it (AWS: PutEvents).
        if state.broken.iter().any(|part| matches!(part, Part::Bus(_))) {
            return Ok(vec![Posted::Sent; notices.len()]);
        }
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
            if let Some((access, arn)) = &state.guard {
                let need = Need::new("events:PutEvents", arn);
                let need = need
                    .knowing("events:detail-type", notice.news.detail_type())
                    .knowing("events:source", EVENT_SOURCE);
                if let Err(need) = access.judge(&[need]) {
                    posted.push(Posted::Forbidden(format!("NotAuthorizedForDetailTypeException: {need}")));
                    continue;
                }
            }
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
