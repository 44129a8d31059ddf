//! backup-tick: every minute: what is due? Claims it and begins it, and looks for the sources of plans; and whatever people
//! ask of sources and backups.

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
        Incoming::Scheduled => engine.tick().await?,
        Incoming::BackupRequested { slot, request } => Box::pin(engine.request(slot, request)).await?,
        Incoming::Asked { at, request } => Box::pin(engine.asked(at, request)).await?,
        Incoming::NoticeTest { event, asked } => engine.test_notices(&asked, &event).await?,
        other @ (Incoming::ArtifactChanged { .. }
        | Incoming::CacheChanged { .. }
        | Incoming::InstanceChanged { .. }
        | Incoming::BackupGood { .. }
        | Incoming::Refresh(_)
        | Incoming::ImageChange { .. }
        | Incoming::Verdict { .. }) => {
            return Err(unexpected("backup-tick", &other).into());
        }
    };
    report.log();
    Ok(())
}
