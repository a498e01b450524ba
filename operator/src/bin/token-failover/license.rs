//! Prints the token server of a license file and the findings. Prints nothing else of the file.

use std::path::Path;

use serde_json::json;
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::ids::{MacAddress, NetworkInterfaceId};
use token_failover_operator::license::{Interface, License};

use crate::ended::{Ended, Trouble};
use crate::{asked, show};

/// Reads a license file.
pub(crate) fn read(file: &Path) -> Result<License, Trouble> {
    let hint = "Give the path of the license file that you got from the vendor. `init` also works without --license: the \
                function then does not check the hostid.";
    let unreadable =
        |error: std::io::Error| Trouble::new(format!("{} could not be read: {error}", file.display()), hint);
    let bytes = std::fs::read(file).map_err(unreadable)?;
    License::parse(&bytes).map_err(|error| Trouble::new(format!("{}: {error}", file.display()), error.hint()))
}

/// Prints what the file names, and its findings.
pub(crate) fn license(file: &Path, interface: Option<&NetworkInterfaceId>, json: bool) -> Result<Ended, Trouble> {
    let license = read(file)?;
    let interface = interface.map(look_up).transpose()?;
    let today = asked::today();
    let findings = license.assess(today, interface.as_ref());
    let expires = license.expires(today);
    if json {
        let hosts: Vec<String> = license.servers.iter().map(|server| server.host.to_string()).collect();
        show::document(&json!({
            "hostid": license.hostid(), "hosts": hosts, "ports": license.ports_setting(), "expires": expires,
            "findings": findings,
        }))?;
    } else {
        let hostids: Vec<String> = license.mac_addresses().into_iter().map(MacAddress::hostid).collect();
        let hostids = if hostids.is_empty() { "no MAC address".to_owned() } else { hostids.join(" or ") };
        anstream::println!("hostid     {hostids}");
        for server in &license.servers {
            anstream::println!("server     {}", server.host);
        }
        anstream::println!("ports      {}", license.ports_setting().unwrap_or_else(|| "not fixed".to_owned()));
        let expires = expires.map_or_else(|| "no date in the file".to_owned(), |date| date.to_string());
        anstream::println!("expires    {expires}");
        show::findings(&findings);
    }
    let is_bad = |finding: &Finding| finding.severity > Severity::Info;
    Ok(if findings.iter().any(is_bad) { Ended::Badly } else { Ended::Well })
}

fn look_up(interface: &NetworkInterfaceId) -> Result<Interface, Trouble> {
    asked::on_runtime(async { asked::look_up(interface, None).await.map(|(_, seen)| Interface::from(&seen)) })
}
