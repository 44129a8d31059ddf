//! How the SDK is set up: TLS, time limits, retries, credentials.

use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::{Builder, tls};
use lastgood_engine::STOP_BEFORE_DEADLINE_SECONDS;

/// The longest that one call may take, all its tries together, in seconds.
const CALL_SECONDS_MAX: u64 = 10;
/// The longest that one try may take, in seconds.
const TRY_SECONDS_MAX: u64 = 5;
/// The longest that connecting may take, in seconds.
const CONNECT_SECONDS_MAX: u64 = 2;
// A call that hangs ends before Lambda ends the function, and there is time for a second try.
const _: () = assert!(CALL_SECONDS_MAX < STOP_BEFORE_DEADLINE_SECONDS.unsigned_abs());
const _: () = assert!(CONNECT_SECONDS_MAX < TRY_SECONDS_MAX && TRY_SECONDS_MAX < CALL_SECONDS_MAX);
/// Tries of a call that was throttled or met a server's error. Every call of ours is safe to repeat but StopInstances, which is
/// made once.
const TRIES_MAX: u32 = 3;

fn defaults() -> ConfigLoader {
    let http = Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .operation_attempt_timeout(Duration::from_secs(TRY_SECONDS_MAX))
        .operation_timeout(Duration::from_secs(CALL_SECONDS_MAX))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX))
}

/// For a function: Lambda gives credentials and region in the environment, and nothing else is looked for.
pub async fn load_for_function() -> SdkConfig {
    defaults()
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .region(EnvironmentVariableRegionProvider::new())
        .load()
        .await
}

/// For an operator: profiles, single sign-on and all else that the AWS CLI takes.
pub async fn load_for_operator() -> SdkConfig {
    defaults().load().await
}
