//! The engine's ports `Cloud` and `Clock`, in process. Every future is ready at once. The calls are in the files of their
//! services.

mod autoscaling;
mod ec2;
mod elasticache;
mod facts;
mod power;
mod refresh;
mod ssm;

use lastgood_core::Time;
use lastgood_engine::Clock;

use crate::fault::AwsError;
use crate::filter::{Page, Paging};
use crate::state::World;

/// Every item of every page.
fn all<T>(ask: impl Fn(Option<String>) -> Result<Page<T>, AwsError>) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    let mut token = None;
    loop {
        let page = ask(token)?;
        items.extend(page.items);
        token = page.next_token;
        if token.is_none() {
            return Ok(items);
        }
    }
}

/// Asks for `ids` in parts of `size`.
fn parts<I, T>(ids: &[I], size: usize, ask: impl Fn(&[I]) -> Result<Vec<T>, AwsError>) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    for part in ids.chunks(size) {
        items.extend(ask(part)?);
    }
    Ok(items)
}

fn paging(max_results: usize, next_token: Option<String>) -> Paging {
    Paging { max_results: Some(max_results), next_token }
}

impl Clock for World {
    fn now(&self) -> Time {
        self.time()
    }

    async fn pause(&self, seconds: i64) {
        self.advance(seconds);
    }
}
