//! The operations, as typed requests and answers.

use std::{fmt, time::Duration};

use super::{
    ApiError, World,
    addresses::{AddressView, AssociateAddress, Associated, DescribeAddresses, DisassociateAddress},
    instances::{
        DescribeInstanceStatus, DescribeInstances, InstanceView, StartInstances, StateChange, StopInstances,
        TerminateInstances,
    },
    interfaces::{
        AttachNetworkInterface, Attached, DescribeNetworkInterfaces, DetachNetworkInterface, InterfaceView,
        ModifyNetworkInterfaceAttribute,
    },
    region::Region,
    rules::{AuthorizeSecurityGroupIngress, DescribeSecurityGroupRules, GetManagedPrefixListEntries, RuleView},
    select::Page,
    tags::{CreateTags, DeleteTags},
    topics::{CreateTopic, Publish, Published},
};

/// The service that an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Ec2,
    Sns,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec2 => "ec2",
            Self::Sns => "sns",
        })
    }
}

/// The parameters that tell one call from another, for the journal and for whoever decides about disruptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(crate) fn of(name: &'static str, value: impl ToString) -> Self {
        Self::default().and(name, value)
    }

    pub(crate) fn and(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    pub(crate) fn and_if_any(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.and(name, value),
            None => self,
        }
    }

    /// A list in one value; nothing for an empty list.
    pub(crate) fn and_list(self, name: &'static str, values: &[String]) -> Self {
        if values.is_empty() { self } else { self.and(name, values.join(",")) }
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

/// What every request has.
pub(crate) trait Ask {
    fn dry_run(&self) -> bool {
        false
    }
    fn parameters(&self) -> Parameters;
}

/// A request that changes nothing, so it can also be answered from the past.
pub(crate) trait Read: Ask {
    type Answer;
    fn read(&self, region: &Region) -> Result<Self::Answer, ApiError>;
}

/// A request that changes the world.
pub(crate) trait Change: Ask {
    type Answer;

    /// What is looked at before a dry run is answered: form and existence of what is named.
    ///
    /// Assumed: the order. That a dry run needs existing resources follows from permissions being per resource.
    fn check(&self, _world: &World) -> Result<(), ApiError> {
        Ok(())
    }

    /// Called once [`Change::check`] has passed.
    fn change(&self, world: &mut World) -> Result<Self::Answer, ApiError>;
}

/// A request with the type of its answer.
pub trait Operation: Into<Request> {
    type Answer: TryFrom<Answer>;
}

macro_rules! operations {
    ($($kind:ident $service:ident $name:ident -> $answer:ty;)*) => {
        /// Any request.
        #[derive(Debug, Clone)]
        pub enum Request { $($name($name),)* }

        /// The answer to a request, under the request's name.
        #[derive(Debug, Clone)]
        pub enum Answer { $($name($answer),)* }

        $(
            impl From<$name> for Request {
                fn from(request: $name) -> Self {
                    Self::$name(request)
                }
            }

            impl Operation for $name {
                type Answer = <Wrapped<$name> as Unwrap>::Answer;
            }
        )*

        impl Request {
            pub fn service(&self) -> Service {
                match self { $(Self::$name(_) => Service::$service,)* }
            }

            pub fn action(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            pub fn dry_run(&self) -> bool {
                match self { $(Self::$name(request) => request.dry_run(),)* }
            }

            pub fn parameters(&self) -> Parameters {
                match self { $(Self::$name(request) => request.parameters(),)* }
            }
        }
    };
}
