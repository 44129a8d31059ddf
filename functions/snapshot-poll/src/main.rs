//! snapshot-poll: every minute, and on AWS's news of images, of instances and of snapshots of caches: carries every backup under way one step on.

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
        Incoming::Scheduled => engine.poll().await?,
        Incoming::ArtifactChanged { artifact } => engine.artifact_news(&artifact).await?,
        Incoming::CacheChanged { clusters } => engine.cache_news(&clusters).await?,
        Incoming::InstanceChanged { instance } => engine.instance_news(&instance).await?,
        other @ (Incoming::BackupRequested { .. }
        | Incoming::Asked { .. }
        | Incoming::NoticeTest { .. }
        | Incoming::BackupGood { .. }
        | Incoming::Refresh(_)
        | Incoming::ImageChange { .. }
        | Incoming::Verdict { .. }) => {
            return Err(unexpected("snapshot-poll", &other).into());
        }
    };
    report.log();
    Ok(())
}
