//! The simulator in process, as the HTTP client of the AWS SDK.

use std::io;

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;

use crate::{
    simulation::Simulator,
    wire::{self, Reply},
};

impl Simulator {
    /// The simulator as the HTTP client of an SDK client, on tokio's clock, which may be paused. This crate does not
    /// depend on the SDK's clients, so the example is not compiled here:
    ///
    /// ```text
    /// let config = aws_sdk_ec2::Config::builder()
    ///     .behavior_version(BehaviorVersion::v2026_01_12())
    ///     .region(Region::new(simulator::names::REGION))
    ///     .credentials_provider(Credentials::for_tests())
    ///     .sleep_impl(TokioSleep::new())
    ///     .http_client(simulator.http_client())
    ///     .build();
    /// ```
    pub fn http_client(&self) -> SharedHttpClient {
        Connector(self.clone()).into_shared()
    }
}

#[derive(Debug, Clone)]
struct Connector(Simulator);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let simulator = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
            match wire::answer(&simulator, &parts.headers, &body).await {
                Reply::Answer(response) => HttpResponse::try_from(response.map(SdkBody::from))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
                Reply::Dropped => {
                    let error =
                        io::Error::new(io::ErrorKind::ConnectionReset, "connection closed before message completed");
                    Err(ConnectorError::io(error.into()))
                }
            }
        })
    }
}
