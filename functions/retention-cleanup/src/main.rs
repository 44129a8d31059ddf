//! retention-cleanup: every hour, and when a backup became good: what may go, and why? Deletes it.

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use lastgood_aws::{Lastgood, event_id, finish, read_event, unexpected};
use lastgood_core::incoming::Incoming;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let lastgood = &Lastgood::of_function().await?;
    let answer = |event: LambdaEvent<Value>| finish(event_id(&event.payload), handle(lastgood, event));
    lambda_runtime::run(service_fn(answer)).await
}

async fn handle(lastgood: &Lastgood, event: LambdaEvent<Value>) -> Result<(), Error> {
    let engine = lastgood.engine(event.context.deadline);
    let report = match read_event(event.payload)? {
        Incoming::Scheduled => engine.cleanup().await?,
        Incoming::BackupGood { source } => engine.cleanup_source(&source).await?,
        other @ (Incoming::BackupRequested { .. }
        | Incoming::Asked { .. }
        | Incoming::NoticeTest { .. }
        | Incoming::ArtifactChanged { .. }
        | Incoming::CacheChanged { .. }
        | Incoming::InstanceChanged { .. }
        | Incoming::Refresh(_)
        | Incoming::ImageChange { .. }
        | Incoming::Verdict { .. }) => {
            return Err(unexpected("retention-cleanup", &other).into());
        }
    };
    Ok(report.end()?)
}
