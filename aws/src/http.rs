//! The HTTP client under the SDK's clients: HTTP/1.1, over TLS with ring.
//!
//! The SDK's own client always links HTTP/2 as well, which EC2, SNS and Systems Manager do not offer. With it, the
//! function's package would be 7 percent larger. hyper and rustls do the work, as in the SDK's own client.

use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{self, CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// A client that gives up on a connection that does not open within `connect_timeout`. It trusts the certificates of the
/// machine. Without certificates, every call fails with an error that says so.
pub(crate) fn client(connect_timeout: Duration) -> SharedHttpClient {
    let mut tcp = connect::HttpConnector::new();
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let provider = rustls::crypto::ring::default_provider();
    let connector = match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider) {
        Ok(https) => {
            let https = https.https_or_http().enable_http1().wrap_connector(tcp);
            let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https);
            SharedHttpConnector::new(Http1(client))
        }
        Err(error) => SharedHttpConnector::new(NoTls(error.to_string())),
    };
    http_client_fn(move |_, _| connector.clone())
}

/// Stands in for the client on a machine without certificates.
#[derive(Debug)]
struct NoTls(String);

impl HttpConnector for NoTls {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(format!("TLS is not available: {}", self.0).into())))
    }
}

/// Sends the SDK's requests.
#[derive(Debug)]
struct Http1(Client<HttpsConnector<connect::HttpConnector>, SdkBody>);

impl HttpConnector for Http1 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            // The SDK retries these: no answer has arrived, or only a part of one.
            let response = response.await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection of a request. After a failure that may come from the server, the SDK closes the connection, so that the
/// next attempt reaches another server.
fn metadata(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    let is_proxied = captured.connection_metadata().as_ref()?.is_proxied();
    let captured = captured.clone();
    let close = move || {
        if let Some(connection) = captured.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(is_proxied).poison_fn(close).build())
}
