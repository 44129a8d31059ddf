//! The adapters against literal bodies: what they send, how they read answers and refusals, page by page.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use lastgood_engine::call::ec2::CreateImage;

use crate::settings::Settings;
use crate::{Aws, Table};

mod answers;
mod caches;
mod groups;
mod metrics;
mod parameters;
mod power;
mod refreshes;
mod refusals;
mod table_and_bus;
mod watching;

/// A server on loopback that gives prepared answers in their order, and keeps what it was sent.
struct Wire {
    config: SdkConfig,
    sent: Arc<Mutex<Vec<String>>>,
}

type Prepared = (Arc<Mutex<Vec<(u16, Vec<u8>)>>>, Arc<Mutex<Vec<String>>>);

impl Wire {
    async fn answering(answers: &[(u16, &str)]) -> Self {
        let answers: Vec<(u16, &[u8])> = answers.iter().map(|(status, body)| (*status, body.as_bytes())).collect();
        Self::answering_bytes(&answers).await
    }

    async fn answering_bytes(answers: &[(u16, &[u8])]) -> Self {
        let left = answers.iter().rev().map(|(status, body)| (*status, body.to_vec())).collect();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let state: Prepared = (Arc::new(Mutex::new(left)), Arc::clone(&sent));
        let router = Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .http_client(Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(format!("http://{address}"))
            .build();
        Self { config, sent }
    }

    fn aws(&self) -> Aws {
        Aws::new(&self.config, true)
    }

    /// One that tries again by itself, as a function's does.
    fn aws_that_retries(&self) -> Aws {
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        Aws::new(&self.config.to_builder().retry_config(retries).build(), true)
    }

    fn table(&self) -> Table {
        let settings = Settings {
            table: "lastgood".into(),
            bus: "lastgood".into(),
            stack: "lastgood".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            share: lastgood_core::pace::Share::default(),
            caches: true,
            rules: Vec::new(),
            notice_rule: None,
            writer: "writer".into(),
        };
        Table::new(&self.config, &settings)
    }

    fn sent(&self) -> Vec<String> {
        self.sent.lock().expect("no test panics with this lock").clone()
    }
}

type Answer = (StatusCode, [(&'static str, &'static str); 1], Vec<u8>);

async fn answer(State((left, sent)): State<Prepared>, body: Bytes) -> Answer {
    sent.lock().expect("no test panics with this lock").push(String::from_utf8_lossy(&body).into_owned());
    let next = left.lock().expect("no test panics with this lock").pop();
    let (status, body) = next.expect("as many answers are prepared as calls are made");
    // Only CloudWatch's client reads it (Smithy RPC v2 CBOR).
    let protocol = [("smithy-protocol", "rpc-v2-cbor")];
    (StatusCode::from_u16(status).expect("a status"), protocol, body)
}

/// One field of what was sent is this.
#[track_caller]
fn assert_field(sent: &str, expected: &str) {
    assert!(sent.split('&').any(|field| field == expected), "{expected} is missing in {sent}");
}

fn create_image() -> CreateImage {
    CreateImage {
        instance: "i-1234567890abcdef0".into(),
        name: "lastgood-web-20260115T103000Z".into(),
        description: "a backup".into(),
        tags: [("lastgood:managed-by".to_owned(), "lastgood".to_owned())].into(),
    }
}
