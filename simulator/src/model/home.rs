//! The constant facts of a Region, and values that follow from them.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// The constant facts of a Region.
#[derive(Debug)]
pub struct Home {
    pub account: String,
    pub region: String,
    /// Calendar time at which the simulation's clock shows zero.
    pub epoch: DateTime<Utc>,
    /// VPCs without an internet gateway, in which no Elastic IP can be associated.
    pub vpcs_without_gateway: BTreeSet<String>,
}

impl Home {
    /// Calendar time for a moment of the simulation.
    pub(crate) fn time(&self, at: Duration) -> DateTime<Utc> {
        let time = TimeDelta::from_std(at).ok().and_then(|since| self.epoch.checked_add_signed(since));
        time.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The same in EC2's format.
    pub(crate) fn timestamp(&self, at: Duration) -> String {
        self.time(at).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// "EC2 instance hostnames and domains", EC2 User Guide.
    pub(crate) fn private_dns_name(&self, address: Ipv4Addr) -> String {
        let domain = match self.region.as_str() {
            "us-east-1" => "ec2.internal".to_owned(),
            region => format!("{region}.compute.internal"),
        };
        format!("ip-{}.{domain}", dashed(address))
    }

    pub(crate) fn public_dns_name(&self, address: Ipv4Addr) -> String {
        let domain = match self.region.as_str() {
            "us-east-1" => "compute-1".to_owned(),
            region => format!("{region}.compute"),
        };
        format!("ec2-{}.{domain}.amazonaws.com", dashed(address))
    }
}

fn dashed(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{a}-{b}-{c}-{d}")
}
