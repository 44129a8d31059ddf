//! checkpoint-reached: takes down what AWS tells of instance refreshes, what others think of their pauses and which images
//! operators give, and carries our rollouts on.

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
        Incoming::Refresh(news) => engine.refresh(news).await?,
        Incoming::Verdict { at, asked } => Box::pin(engine.verdict(at, asked)).await?,
        Incoming::ImageChange { at, asked } => Box::pin(engine.change_image(at, asked)).await?,
        other @ (Incoming::Scheduled
        | Incoming::BackupRequested { .. }
        | Incoming::Asked { .. }
        | Incoming::NoticeTest { .. }
        | Incoming::ArtifactChanged { .. }
        | Incoming::CacheChanged { .. }
        | Incoming::InstanceChanged { .. }
        | Incoming::BackupGood { .. }) => {
            return Err(unexpected("checkpoint-reached", &other).into());
        }
    };
    report.log();
    Ok(())
}
