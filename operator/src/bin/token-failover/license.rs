//! Prints the token server of a license file and the findings. Prints nothing else of the file.

use std::path::Path;

use serde_json::json;
use token_failover::model::finding::{Finding, Severity};
use token_failover::model::ids::{MacAddress, NetworkInterfaceId};
use token_failover_operator::license::License;

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
    let mac = interface.map(mac_of).transpose()?;
    let findings = license.assess(mac);
    if json {
        let hosts: Vec<String> = license.servers.iter().map(|server| server.host.to_string()).collect();
        show::document(&json!({
            "hostid": license.hostid(), "hosts": hosts, "ports": license.ports_setting(), "findings": findings,
        }))?;
    } else {
        let unknown = || "no MAC address".to_owned();
        anstream::println!("hostid     {}", license.hostid().unwrap_or_else(unknown));
        for server in &license.servers {
            anstream::println!("server     {}", server.host);
        }
        anstream::println!("ports      {}", license.ports_setting().unwrap_or_else(|| "not fixed".to_owned()));
        show::findings(&findings);
    }
    let is_bad = |finding: &Finding| finding.severity > Severity::Info;
    Ok(if findings.iter().any(is_bad) { Ended::Badly } else { Ended::Well })
}

fn mac_of(interface: &NetworkInterfaceId) -> Result<MacAddress, Trouble> {
    asked::on_runtime(async { asked::look_up(interface, None).await.map(|(_, seen)| seen.mac_address) })
}
