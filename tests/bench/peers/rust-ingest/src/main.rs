//! An afternoon with axum and lapin: confirms on four channels, taken in turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::Router;
use hmac::{Hmac, Mac};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::publisher_confirm::Confirmation;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use sha2::Sha256;

const CHANNELS: usize = 4;

struct Ingest {
    secret: Vec<u8>,
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Ingest {
    fn verified(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let Some(given) = headers.get("x-dropcowboy-signature").and_then(|text| hex::decode(text.as_bytes()).ok()) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else {
            return false;
        };
        mac.update(body);
        mac.verify_slice(&given).is_ok()
    }

    async fn publish(&self, body: &[u8]) -> Result<bool, lapin::Error> {
        let channel = &self.channels[self.next.fetch_add(1, Ordering::Relaxed) % CHANNELS];
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm = channel.basic_publish("dropcowboy", "dropcowboy.events", options, body, properties).await?.await?;
        Ok(matches!(confirm, Confirmation::Ack(None)))
    }
}

async fn take(State(ingest): State<Arc<Ingest>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !ingest.verified(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    match ingest.publish(&body).await {
        Ok(true) => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ConnectionProperties::default()
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_reactor(tokio_reactor_trait::Tokio);
    let connection = Connection::connect(&std::env::var("AMQP_URL")?, options).await?;
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        channels.push(channel);
    }
    let ingest = Ingest { secret: std::env::var("WEBHOOK_SECRET")?.into_bytes(), channels, next: AtomicUsize::new(0) };
    let app = Router::new()
        .route("/webhooks/dropcowboy", post(take))
        .layer(DefaultBodyLimit::max(1 << 20))
        .with_state(Arc::new(ingest));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", std::env::var("PORT")?.parse()?)).await?;
    println!("ready");
    axum::serve(listener, app).await?;
    Ok(())
}
