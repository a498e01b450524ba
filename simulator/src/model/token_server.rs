//! The token servers on the instances: what starts them, and which were started.

use std::{collections::BTreeMap, time::Duration};

use crate::names;

/// What starts the token server on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenServer {
    /// It is started at boot, and by something that watches for the license interface.
    #[default]
    ByItself,
    /// It is started at boot, if the license interface is attached then. If that comes later, it takes a command: any
    /// that was begun after that, and succeeds.
    OnCommand,
    /// There is none.
    Missing,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The machine is there, but nothing listens.
    #[error("connection refused")]
    Refused,
    /// Nobody says anything: no running instance has the address, or packets to it are dropped.
    #[error("no answer")]
    Silent,
}

/// The token servers, by instance.
#[derive(Debug, Clone)]
pub(crate) struct TokenServers {
    pub(crate) ports: Vec<u16>,
    pub(crate) license_interface: String,
    pub(crate) started: BTreeMap<String, Started>,
}

/// A token server that was started, and is there for as long as the interface and the instance are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) attachment_id: String,
    pub(crate) listens_from: Duration,
}

impl Default for TokenServers {
    fn default() -> Self {
        Self::new(&[27007, 27008], names::INTERFACE)
    }
}

impl TokenServers {
    pub(crate) fn new(ports: &[u16], license_interface: &str) -> Self {
        Self { ports: ports.to_vec(), license_interface: license_interface.to_owned(), started: BTreeMap::new() }
    }
}
