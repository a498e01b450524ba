//! The token servers on the instances: their start, and those that are running.

use std::{collections::BTreeMap, time::Duration};

use super::license_server::LicenseService;
use crate::names;

/// The way in which the token server on an instance starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenServer {
    /// At boot, and by a program that watches for the license interface.
    #[default]
    ByItself,
    /// At boot, if the license interface is attached by then. Otherwise by any successful command that began after the
    /// arrival of the interface.
    OnCommand,
    /// The instance has no token server.
    Missing,
}

/// The reason for a failed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The machine answers, but nothing listens.
    #[error("connection refused")]
    Refused,
    /// There is no answer: no running instance has the address, or packets to it are dropped.
    #[error("no answer")]
    Silent,
}

/// The token servers, by instance.
#[derive(Debug, Clone)]
pub(crate) struct TokenServers {
    pub(crate) ports: Vec<u16>,
    pub(crate) license_interface: String,
    pub(crate) service: LicenseService,
    pub(crate) started: BTreeMap<String, Started>,
}

/// A started token server. It ends with the attachment of the interface or with the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) attachment_id: String,
    pub(crate) listens_from: Duration,
}

impl Default for TokenServers {
    fn default() -> Self {
        Self::new(&[27007, 27008], names::INTERFACE, LicenseService::default())
    }
}

impl TokenServers {
    pub(crate) fn new(ports: &[u16], license_interface: &str, service: LicenseService) -> Self {
        let (ports, license_interface) = (ports.to_vec(), license_interface.to_owned());
        Self { ports, license_interface, service, started: BTreeMap::new() }
    }
}
