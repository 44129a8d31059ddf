//! EventBridge: our bus.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::SdkError;
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::DateTime;
use lastgood_core::Time;
use lastgood_core::incoming::{BackupRequested, ImageChangeRequested, Request, VerdictAsked};
use lastgood_core::notice::{EVENT_SOURCE, Notice};
use lastgood_engine::port::Posted;
use lastgood_engine::{Answer, Bus, CallFailed, How};
use serde::Serialize;

use crate::refusals::{answer, failed};

const PUT: &str = "events:PutEvents";
/// The most entries of one call (AWS: PutEvents).
const ENTRIES_A_CALL_MAX: usize = 10;
/// The most bytes of one call's entries; the API's model says 256 KB, the guide more (AWS: PutEvents).
const BYTES_A_CALL_MAX: usize = 250_000;

/// Our bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    bus: String,
}

impl EventBus {
    /// The bus of that name. A bus that does not exist takes every event and drops it (AWS: PutEvents): a name that a
    /// person wrote is to be checked first.
    pub fn new(config: &SdkConfig, bus: &str) -> Self {
        Self { client: Client::new(config), bus: bus.to_owned() }
    }

    /// Whether there is such a bus: PutEvents does not tell.
    pub async fn check(&self) -> Result<Answer<()>, CallFailed> {
        let result = self.client.describe_event_bus().name(&self.bus).send().await;
        Ok(answer("events:DescribeEventBus", result)?.map(|_| ()))
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

fn posted(entry: &PutEventsResultEntry) -> Posted {
    match (entry.event_id(), entry.error_code()) {
        (Some(_), None) => Posted::Sent,
        (_, code) => {
            let message = entry.error_message().unwrap_or("no message");
            Posted::NotSent(format!("{}: {message}", code.unwrap_or("no event id")))
        }
    }
}

impl Bus for EventBus {
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
