//! The door: an HTTP server that speaks the query protocols of EC2, Auto Scaling and ElastiCache, and the Tagging API's JSON,
//! for clients that others wrote.
//!
//! Any signature is good. What is not simulated is refused as AWS refuses what it does not know: `InvalidAction` and
//! `UnknownParameter` with status 400, never a page of HTML.

mod autoscaling;
mod autoscaling_member;
mod autoscaling_refresh;
mod ec2_image;
mod ec2_instance;
mod ec2_mapping;
mod ec2_reference;
mod ec2_snapshot;
mod ec2_template;
mod elasticache;
mod policy;
mod query;
mod xml;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lastgood_core::Time;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fault::AwsError;
use crate::state::World;
use query::Query;
use xml::Xml;

/// AWS: the versions of the three APIs, by which a call tells whom it is for.
const EC2_VERSION: &str = "2016-11-15";
const AUTOSCALING_VERSION: &str = "2011-01-01";
const ELASTICACHE_VERSION: &str = "2015-02-02";

/// What carries out one action.
type Action = fn(&World, Query) -> Result<Xml, AwsError>;

/// Where the world's time comes from while the door is open.
#[derive(Clone)]
pub enum DoorTime {
    /// The test moves the clock.
    Moved,
    /// Before each call the clock is moved to what this says.
    Follows(Arc<dyn Fn() -> Time + Send + Sync>),
}

impl fmt::Debug for DoorTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Moved => "Moved",
            Self::Follows(_) => "Follows(..)",
        })
    }
}

/// An open door. It closes when it is dropped.
#[derive(Debug)]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

impl Door {
    /// What a client takes as the endpoint of each service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone, Debug)]
struct Inside {
    world: Arc<World>,
    time: DoorTime,
    answers: Arc<AtomicU64>,
}

/// Opens a door to `world` on `address`, usually `127.0.0.1:0`. Must be called inside a tokio runtime, which serves it.
pub async fn open(world: Arc<World>, address: SocketAddr, time: DoorTime) -> io::Result<Door> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let inside = Inside { world, time, answers: Arc::new(AtomicU64::new(0)) };
    let router = Router::new().fallback(answer).with_state(inside);
    let server = tokio::spawn(async move {
        // It only ends when the task is aborted.
        let _ = axum::serve(listener, router).await;
    });
    Ok(Door { address, server })
}

async fn answer(State(inside): State<Inside>, headers: HeaderMap, body: Bytes) -> Response {
    if let DoorTime::Follows(now) = &inside.time {
        inside.world.advance_to(now());
    }
    let number = inside.answers.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("00000000-0000-4000-8000-{number:012x}");
    if let Some(target) = headers.get("x-amz-target") {
        return json_answer(&inside.world, target.to_str().unwrap_or_default(), &body);
    }
    let mut query = Query::read(&body);
    let action = query.take("Action").unwrap_or_default();
    let version = query.take("Version").unwrap_or_default();
    let (status, text) = match version.as_str() {
        AUTOSCALING_VERSION => {
            let found = autoscaling::action(&action);
            query_answer("autoscaling", AUTOSCALING_VERSION, &inside.world, (found, &action), query, &request_id)
        }
        ELASTICACHE_VERSION => {
            let found = elasticache::action(&action);
            query_answer("elasticache", ELASTICACHE_VERSION, &inside.world, (found, &action), query, &request_id)
        }
        _ => ec2_answer(&inside.world, &action, &version, query, &request_id),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], text).into_response()
}

fn carry_out(world: &World, found: Option<Action>, action: &str, query: Query) -> Result<Xml, AwsError> {
    let unknown = || AwsError::new("InvalidAction", format!("The action {action} is not valid for this web service."));
    found.ok_or_else(unknown)?(world, query)
}

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// AWS: EC2 Query API: errors are in `<Response><Errors>`, the request's id after them.
fn ec2_answer(world: &World, action: &str, version: &str, query: Query, request_id: &str) -> (u16, String) {
    let found = (version == EC2_VERSION).then(|| ec2_action(action)).flatten();
    match carry_out(world, found, action, query) {
        Ok(inside) => {
            let inside = inside.into_text();
            let text = format!(
                r#"{DECLARATION}<{action}Response xmlns="http://ec2.amazonaws.com/doc/{EC2_VERSION}/"><requestId>{request_id}</requestId>{inside}</{action}Response>"#
            );
            (200, text)
        }
        Err(error) => {
            let mut xml = Xml::default();
            xml.node("Response", |response| {
                response.list("Errors", "Error", [&error], |told, error| {
                    told.leaf("Code", &error.code).leaf("Message", &error.message);
                });
                response.leaf("RequestID", request_id);
            });
            (error.http_status, format!("{DECLARATION}{}", xml.into_text()))
        }
    }
}

fn ec2_action(action: &str) -> Option<Action> {
    ec2_image::action(action)
        .or_else(|| ec2_snapshot::action(action))
        .or_else(|| ec2_template::action(action))
        .or_else(|| ec2_instance::action(action))
        .or_else(|| ec2_mapping::action(action))
        .or_else(|| ec2_reference::action(action))
}

/// AWS: AWS JSON 1.1: errors name themselves in `__type`.
fn json_answer(world: &World, target: &str, body: &[u8]) -> Response {
    let (status, body) = match elasticache::tagging(world, target, body) {
        Ok(told) => (200, told),
        Err(error) => (error.http_status, serde_json::json!({"__type": error.code, "message": error.message})),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

/// AWS: Query APIs of Auto Scaling and ElastiCache: the result in `<ActionResult>`, errors in `<ErrorResponse>`.
fn query_answer(
    service: &str,
    version: &str,
    world: &World,
    (found, action): (Option<Action>, &str),
    query: Query,
    request_id: &str,
) -> (u16, String) {
    let namespace = format!("http://{service}.amazonaws.com/doc/{version}/");
    match carry_out(world, found, action, query) {
        Ok(inside) => {
            let mut xml = Xml::default();
            xml.node("ResponseMetadata", |metadata| {
                metadata.leaf("RequestId", request_id);
            });
            let (inside, metadata) = (inside.into_text(), xml.into_text());
            let text = format!(
                r#"{DECLARATION}<{action}Response xmlns="{namespace}"><{action}Result>{inside}</{action}Result>{metadata}</{action}Response>"#
            );
            (200, text)
        }
        Err(error) => {
            let side = if error.http_status < 500 { "Sender" } else { "Receiver" };
            let mut xml = Xml::default();
            xml.node("Error", |told| {
                told.leaf("Type", side).leaf("Code", &error.code).leaf("Message", &error.message);
            });
            xml.leaf("RequestId", request_id);
            let inside = xml.into_text();
            let text = format!(r#"{DECLARATION}<ErrorResponse xmlns="{namespace}">{inside}</ErrorResponse>"#);
            (error.http_status, text)
        }
    }
}

/// EC2's tags, as all its things tell them.
fn tag_set(xml: &mut Xml, tags: &lastgood_core::facts::Tags) {
    xml.list("tagSet", "item", tags, |item, (key, value)| {
        item.leaf("key", key).leaf("value", value);
    });
}

/// EC2's answer of calls that have nothing to tell.
fn returned() -> Xml {
    let mut xml = Xml::default();
    xml.leaf("return", true);
    xml
}
