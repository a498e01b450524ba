//! The license check: what the license server says of itself when the vendor's tool, `lmutil lmstat`, asks it.

use serde::{Deserialize, Serialize};
use strum::Display;

use crate::model::flexnet::FlexNetError;
use crate::model::ids::{CommandId, DocumentName, InstanceId};

/// The answers of a license server, as far as `lmstat` printed them. User names and host names are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LicenseServer {
    /// The state of lmgrd.
    pub lmgrd: Daemon,
    /// The vendor daemons.
    pub vendors: Vec<VendorDaemon>,
    /// The features, in the order in which lmstat lists them.
    pub features: Vec<Feature>,
}

impl LicenseServer {
    /// The features that clients can check out.
    pub fn served(&self) -> impl Iterator<Item = &Feature> {
        self.features.iter().filter(|feature| feature.usage.is_served())
    }
}

/// The state of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Daemon {
    /// It answers.
    Up {
        /// Its FlexNet version, such as `v11.19.6`; null if lmstat shows none.
        version: Option<String>,
    },
    /// It does not run, or it refuses to serve.
    Down {
        /// FlexNet's error, such as -97; null if lmstat shows none.
        error: Option<FlexNetError>,
    },
    /// The check could not tell.
    #[default]
    Unknown,
}

impl Daemon {
    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// Whether it does not run or refuses to serve.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }
}

/// A vendor daemon and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VendorDaemon {
    /// Its name, such as `MOSEKLM`.
    pub name: String,
    /// Its state.
    #[serde(flatten)]
    pub daemon: Daemon,
}

/// A feature and its licenses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feature {
    /// Its name, such as `PTS`.
    pub name: String,
    /// Its licenses.
    #[serde(flatten)]
    pub usage: Usage,
}

/// The licenses of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "usage")]
pub enum Usage {
    /// Floating licenses.
    Counted {
        /// How many the license server can give.
        issued: u32,
        /// How many clients have now; null if lmstat does not say so.
        used: Option<u32>,
    },
    /// The feature is node-locked: any number of clients can use it at once.
    Uncounted,
    /// The license server rejects the feature.
    NotServed {
        /// FlexNet's error; null if lmstat shows none.
        error: Option<FlexNetError>,
    },
    /// The output ends before the licenses, or the check does not understand them.
    Unknown,
}

impl Usage {
    /// Whether clients can check the feature out.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Counted { issued: 1.., .. } | Self::Uncounted)
    }
}

/// Why the check could not tell something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum WhyUnknown {
    /// Systems Manager did not accept the command.
    NotSent,
    /// The role does not allow a call of the check.
    Denied,
    /// Systems Manager did not answer, or had too many calls to answer.
    Unreachable,
    /// The agent of the instance did not answer to Systems Manager.
    AgentUnreachable,
    /// The command was sent, and its result did not arrive in time.
    NoResult,
    /// The command ended without a result of lmstat: it was canceled, or it took too long.
    NotRun,
    /// There is no lmutil at the path in the document, or the loader that it needs is missing.
    NotInstalled,
    /// The user that runs the command may not run lmutil.
    NotExecutable,
    /// lmstat itself failed, with an error that says nothing about the license server.
    LmstatFailed,
    /// lmstat does not list a vendor daemon of the license. Most likely, TOKEN_SERVER_VENDORS is wrong.
    VendorNotListed,
    /// Systems Manager cut the output off.
    OutputCut,
    /// The output is not lmstat's, or in a form that is not known.
    NotUnderstood,
}

impl WhyUnknown {
    /// Whether it passes by itself.
    pub fn passes(self) -> bool {
        self == Self::Unreachable
    }
}

/// Whether the license server serves licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckedLicense {
    /// lmgrd and every listed vendor daemon run, and at least one feature has licenses.
    Served,
    /// A daemon is down or rejects the license, or no feature has licenses.
    NotServed,
    /// The check could not tell.
    Unknown,
}

/// The license check of one run, as the report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LicenseCheck {
    /// The Systems Manager document.
    pub document: DocumentName,
    /// The instance on which it ran.
    pub instance_id: InstanceId,
    /// The last command; null if none could be sent.
    pub command_id: Option<CommandId>,
    /// Whether licenses are served.
    pub result: CheckedLicense,
    /// The answers of the license server.
    #[serde(flatten)]
    pub server: LicenseServer,
    /// Why the check could not tell something; null if it could tell everything.
    pub unknown_because: Option<WhyUnknown>,
    /// FlexNet's error that kept lmstat from asking; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lmstat_error: Option<FlexNetError>,
    /// The time from the first try to the last answer, in milliseconds.
    pub duration_ms: u64,
    /// The error in detail.
    pub error: Option<String>,
}

impl LicenseCheck {
    /// A check without a result yet.
    pub fn open(document: &DocumentName, instance: &InstanceId) -> Self {
        Self {
            document: document.clone(),
            instance_id: instance.clone(),
            command_id: None,
            result: CheckedLicense::Unknown,
            server: LicenseServer::default(),
            unknown_because: Some(WhyUnknown::NoResult),
            lmstat_error: None,
            duration_ms: 0,
            error: None,
        }
    }
}
