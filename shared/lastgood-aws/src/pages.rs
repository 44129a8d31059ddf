//! Lists that AWS tells in pages: each is read to its end, or not at all.

use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lastgood_engine::{CallFailed, Called};

use crate::refusals::answer;

/// What `read` finds on every page of an answer to `action`.
pub(crate) async fn all<P, E, T>(
    action: &'static str,
    mut pages: PaginationStream<Result<P, SdkError<E, HttpResponse>>>,
    read: impl Fn(P) -> Result<Vec<T>, CallFailed>,
) -> Called<Vec<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        match answer(action, page)? {
            Ok(page) => found.extend(read(page)?),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(found))
}
