//! EventBridge: our bus.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::SdkError;
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry, RuleState};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use lastgood_core::Time;
use lastgood_core::incoming::{BackupRequested, ImageChangeRequested, NoticeTestRequested, Request, VerdictAsked};
use lastgood_core::notice::{EVENT_SOURCE, Notice};
use lastgood_core::refusal::Why;
use lastgood_core::watch::{BUS_STATEMENTS, Part};
use lastgood_engine::port::{Looked, Posted};
use lastgood_engine::{Answer, Bus, CallFailed, How};
use serde::Serialize;

use crate::refusals::{answer, failed};
use crate::settings::Settings;

const PUT: &str = "events:PutEvents";
const DESCRIBE_BUS: &str = "events:DescribeEventBus";
const DESCRIBE_RULE: &str = "events:DescribeRule";
/// The codes of an entry that its sender may not send (AWS: PutEventsResultEntry).
const FORBIDDEN: [&str; 3] =
    ["NotAuthorizedForDetailTypeException", "NotAuthorizedForSourceException", "AccessDeniedException"];
/// The most entries of one call (AWS: PutEvents).
const ENTRIES_A_CALL_MAX: usize = 10;
/// The most bytes of one call's entries; the API's model says 256 KB, the guide more (AWS: PutEvents).
const BYTES_A_CALL_MAX: usize = 250_000;

/// Our bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    bus: String,
    /// The rules that are looked after, as ARNs.
    rules: Vec<String>,
    notice_rule: Option<String>,
}

impl EventBus {
    /// The bus of that name. A bus that does not exist takes every event and drops it (AWS: PutEvents): a name that a
    /// person wrote is to be checked first.
    pub fn new(config: &SdkConfig, bus: &str) -> Self {
        Self { client: Client::new(config), bus: bus.to_owned(), rules: Vec::new(), notice_rule: None }
    }

    /// The same, with the rules of its deployment to look after.
    #[must_use]
    pub fn with_rules(self, settings: &Settings) -> Self {
        Self { rules: settings.rules.clone(), notice_rule: settings.notice_rule.clone(), ..self }
    }

    /// What is the matter with the bus itself, if anything.
    async fn broken_bus(&self) -> Result<Vec<Part>, CallFailed> {
        match self.described().await? {
            Ok(policy) => {
                let lacking = BUS_STATEMENTS.iter().filter(|sid| !has_statement(&policy, sid));
                Ok(lacking.map(|sid| Part::BusOpen((*sid).to_owned())).collect())
            }
            Err(refusal) if refusal.why == Why::Missing => Ok(vec![Part::Bus(self.bus.clone())]),
            Err(refusal) => Err(CallFailed::refused(DESCRIBE_BUS)(refusal)),
        }
    }

    /// What is the matter with a rule, if anything. AWS: DescribeRule.
    async fn broken_rule(&self, arn: &str) -> Result<Option<Part>, CallFailed> {
        // arn:…:rule/NAME on the default bus, arn:…:rule/BUS/NAME on another.
        let mut names = arn.rsplit(":rule/").next().unwrap_or(arn).rsplit('/');
        let (name, bus) = (names.next().unwrap_or_default(), names.next());
        let asked = self.client.describe_rule().name(name).set_event_bus_name(bus.map(str::to_owned)).send().await;
        match answer(DESCRIBE_RULE, asked)? {
            Ok(rule) if rule.state() == Some(&RuleState::Disabled) => Ok(Some(Part::RuleDisabled(arn.to_owned()))),
            Ok(_) => Ok(None),
            Err(refusal) if refusal.why == Why::Missing => Ok(Some(Part::RuleMissing(arn.to_owned()))),
            Err(refusal) => Err(CallFailed::refused(DESCRIBE_RULE)(refusal)),
        }
    }

    /// Whether there is such a bus: PutEvents does not tell.
    pub async fn check(&self) -> Result<Answer<()>, CallFailed> {
        Ok(self.described().await?.map(|_| ()))
    }

    /// The bus's policy, as text; empty if it has none.
    async fn described(&self) -> Result<Answer<String>, CallFailed> {
        let result = self.client.describe_event_bus().name(&self.bus).send().await;
        Ok(answer(DESCRIBE_BUS, result)?.map(|bus| bus.policy.unwrap_or_default()))
    }

    /// Asks for a notice, to see whether it arrives.
    pub async fn test_notices(&self, asked: &NoticeTestRequested) -> Result<Posted, CallFailed> {
        self.put_request(NoticeTestRequested::DETAIL_TYPE, asked).await
    }

    /// Asks for a backup.
    pub async fn request(&self, request: &BackupRequested) -> Result<Posted, CallFailed> {
        self.put_request(BackupRequested::DETAIL_TYPE, request).await
    }

    /// Asks for anything else.
    pub async fn ask(&self, request: &Request) -> Result<Posted, CallFailed> {
        self.put_request(request.detail_type(), request).await
    }

    /// Gives a verdict.
    pub async fn verdict(&self, verdict: &VerdictAsked) -> Result<Posted, CallFailed> {
        self.put_request(verdict.detail_type(), verdict).await
    }

    /// Asks that a group is given an image.
    pub async fn change_image(&self, asked: &ImageChangeRequested) -> Result<Posted, CallFailed> {
        self.put_request(ImageChangeRequested::DETAIL_TYPE, asked).await
    }

    /// EventBridge's clock dates a request, not this machine's: its time becomes the slot of a backup.
    async fn put_request(&self, detail_type: &str, detail: &impl Serialize) -> Result<Posted, CallFailed> {
        let entry = self.entry(detail_type, detail, None)?;
        let posted = self.put_events(vec![entry]).await.map_err(|error| failed(PUT, error))?;
        posted.into_iter().next().ok_or(CallFailed::new(How::Unreadable, PUT, "it is empty"))
    }

    fn entry(
        &self,
        detail_type: &str,
        detail: &impl Serialize,
        at: Option<Time>,
    ) -> Result<PutEventsRequestEntry, CallFailed> {
        let detail = serde_json::to_string(detail).map_err(|error| CallFailed::new(How::NotMade, PUT, error))?;
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(EVENT_SOURCE)
            .detail_type(detail_type)
            .detail(detail)
            .set_time(at.map(|at| DateTime::from_secs(at.as_second())))
            .build())
    }

    /// One batch that is refused keeps no other back. Of a bus that does not answer no more is asked: `silent` says so.
    async fn put_or_tell(&self, entries: Vec<PutEventsRequestEntry>, silent: &mut bool) -> Vec<Posted> {
        let count = entries.len();
        if *silent {
            return vec![Posted::NotSent("the bus does not answer".to_owned()); count];
        }
        match self.put_events(entries).await {
            Ok(posted) => posted,
            Err(error) => {
                *silent = !matches!(error, SdkError::ServiceError(_));
                vec![Posted::NotSent(lastgood_engine::chain(&failed(PUT, error))); count]
            }
        }
    }

    async fn put_events(
        &self,
        entries: Vec<PutEventsRequestEntry>,
    ) -> Result<Vec<Posted>, SdkError<PutEventsError, HttpResponse>> {
        let count = entries.len();
        let output = self.client.put_events().set_entries(Some(entries)).send().await?;
        // HTTP 200 may carry entries that failed; the results stand in the order of the entries.
        let mut posted: Vec<Posted> = output.entries().iter().map(posted).collect();
        posted.resize(count, Posted::NotSent("the answer does not speak of it".to_owned()));
        Ok(posted)
    }
}

/// Whether a policy document has a statement whose name begins so.
fn has_statement(policy: &str, sid: &str) -> bool {
    let document: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = document["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    statements.iter().any(|statement| {
        statement["Sid"].as_str().is_some_and(|name| name.starts_with(sid)) && statement["Effect"] == "Deny"
    })
}

fn posted(entry: &PutEventsResultEntry) -> Posted {
    match (entry.event_id(), entry.error_code()) {
        (Some(_), None) => Posted::Sent,
        (_, code) => {
            let message = entry.error_message().unwrap_or("no message");
            let why = format!("{}: {message}", code.unwrap_or("no event id"));
            if code.is_some_and(|code| FORBIDDEN.contains(&code)) {
                Posted::Forbidden(why)
            } else {
                Posted::NotSent(why)
            }
        }
    }
}

impl Bus for EventBus {
    async fn broken(&self) -> Looked {
        let mut looked = Looked::default();
        looked.take(self.broken_bus().await);
        for rule in &self.rules {
            looked.take(self.broken_rule(rule).await);
        }
        looked
    }

    fn notice_rule(&self) -> Option<&str> {
        self.notice_rule.as_deref()
    }

    async fn post(&self, notices: &[Notice]) -> Result<Vec<Posted>, CallFailed> {
        let mut all = Vec::new();
        let mut batch: Vec<PutEventsRequestEntry> = Vec::new();
        let (mut bytes, mut silent) = (0, false);
        for notice in notices {
            let entry = self.entry(notice.news.detail_type(), notice, Some(notice.at))?;
            let size = entry.detail().map_or(0, str::len) + 200;
            if batch.len() == ENTRIES_A_CALL_MAX || (bytes + size > BYTES_A_CALL_MAX && !batch.is_empty()) {
                all.extend(self.put_or_tell(std::mem::take(&mut batch), &mut silent).await);
                bytes = 0;
            }
            bytes += size;
            batch.push(entry);
        }
        if !batch.is_empty() {
            all.extend(self.put_or_tell(batch, &mut silent).await);
        }
        Ok(all)
    }
}
