//! What `lmutil lmstat -a` prints on an instance.
//!
//! The form is that of FlexNet 11.19, as users have published it; the names are made up. lmstat ends with the error's
//! number plus 256 if it has no answer.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::state::World;
use crate::model::{ApiError, LicenseService, Lmutil};

/// In characters (service model, `GetCommandInvocationResult$StandardOutputContent`).
const LONGEST_OUTPUT: usize = 24_000;

/// The agent puts it in place of the rest (amazon-ssm-agent, `OutputTruncatedSuffix`).
const CUT: &str = "--output truncated--";

impl World {
    /// Sets what the license server serves.
    pub fn set_license_service(&mut self, service: LicenseService) {
        self.revision += 1;
        self.token_servers.service = service;
    }

    /// Sets the tool on an instance.
    pub fn set_lmutil(&mut self, instance_id: &str, lmutil: Lmutil) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.lmutil = lmutil;
        Ok(())
    }

    /// The output and the exit code of lmstat on an instance, as Systems Manager keeps them.
    pub(crate) fn lmstat_on(&self, instance_id: &str) -> (String, i32) {
        let lmutil = self.region.instance(instance_id).map(|instance| instance.lmutil).unwrap_or_default();
        let (output, exit_code) = match lmutil {
            Lmutil::Missing => ("env: '/opt/token-server/lmutil': No such file or directory\n".to_owned(), 127),
            Lmutil::NotExecutable => ("env: '/opt/token-server/lmutil': Permission denied\n".to_owned(), 126),
            Lmutil::Other => ("usage: lmutil FILE\n".to_owned(), 0),
            Lmutil::Installed => {
                let now = self.region.home.time(self.now);
                if self.token_server_listens_on(instance_id) {
                    (answering(now, self.token_servers.service), 0)
                } else {
                    (not_answering(now), 241)
                }
            }
        };
        (kept(output), exit_code)
    }
}

fn kept(output: String) -> String {
    match output.char_indices().nth(LONGEST_OUTPUT) {
        None => output,
        Some(_) => output.chars().take(LONGEST_OUTPUT - CUT.len()).collect::<String>() + CUT,
    }
}

fn heading(now: DateTime<Utc>) -> String {
    format!("Flexible License Manager status on {}\n\n", now.format("%a %-m/%-d/%Y %H:%M"))
}

fn not_answering(now: DateTime<Utc>) -> String {
    heading(now)
        + "Error getting status: Cannot connect to license server system. (-15,570:111 \"Connection refused\")\n"
}

fn answering(now: DateTime<Utc>, service: LicenseService) -> String {
    let mut text = heading(now)
        + "License server status: 27007@lic.example.com\n    License file(s) on lic.example.com: \
           /etc/token-server/mosek.lic:\n\nlic.example.com: license server UP (MASTER) v11.19.6\n\nVendor daemon status \
           (on lic.example.com):\n\n";
    if let LicenseService::VendorDown(error) = service {
        text += &format!("   MOSEKLM: The desired vendor daemon is down. ({error},121)\n");
        return text;
    }
    text += "   MOSEKLM: UP v11.19.6\nFeature usage info:\n\n";
    match service {
        LicenseService::WithoutFeatures | LicenseService::VendorDown(_) => {}
        LicenseService::Serves => text += &(in_use("PTS", 10, 3) + &in_use("PTON", 10, 0)),
        LicenseService::OneFeatureRejected => text += &(in_use("PTS", 10, 3) + &rejected("PTON")),
        LicenseService::AllFeaturesRejected => text += &(rejected("PTS") + &rejected("PTON")),
        LicenseService::ManyFeatures => (1..=400).for_each(|number| text += &in_use(&format!("F{number}"), 10, 0)),
    }
    text
}

fn rejected(feature: &str) -> String {
    format!("Users of {feature}:  (Error: 10 licenses, unsupported by licensed server)\n\n")
}

/// A feature and its clients.
fn in_use(feature: &str, issued: u32, used: u32) -> String {
    let mut text = format!(
        "Users of {feature}:  (Total of {issued} licenses issued;  Total of {used} license{} in use)\n\n",
        if used == 1 { "" } else { "s" }
    );
    if used > 0 {
        let _ = writeln!(text, "  \"{feature}\" v11.0, vendor: MOSEKLM, expiry: 31-dec-2031\n  floating license\n");
        for user in 1..=used {
            let _ = writeln!(
                text,
                "    user{user} node{user} /dev/pts/{user} (v11.0) (lic.example.com/27008 {}), start Wed 11/11 9:0{user}",
                user * 101
            );
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        names, pair,
        world::{GetCommandInvocation, SendCommand, Timings},
    };

    /// The status, the exit code and the output of lmstat on an instance.
    fn lmstat(world: &mut World, instance_id: &str) -> (&'static str, i32, String) {
        let sent = world.act(SendCommand::to(instance_id, names::LICENSE_CHECK_DOCUMENT)).unwrap();
        world.advance(world.now() + Duration::from_secs(5));
        let seen = world.act(GetCommandInvocation::of(sent.command_id, instance_id)).unwrap();
        (seen.status.name(), seen.response_code(), seen.output().to_owned())
    }

    #[test]
    fn lmstat_shows_what_the_license_server_on_the_holder_serves() {
        let mut world = pair().world();
        let (status, code, output) = lmstat(&mut world, names::HOLDER);
        assert_eq!((status, code), ("Success", 0));
        for line in ["license server UP (MASTER) v11.19.6", "MOSEKLM: UP v11.19.6", "Users of PTON:  (Total of 10"] {
            assert!(output.contains(line), "{output}");
        }
        world.set_license_service(LicenseService::VendorDown(-9));
        let (status, code, output) = lmstat(&mut world, names::HOLDER);
        assert_eq!((status, code, output.contains("(-9,121)")), ("Success", 0, true));
        world.set_license_service(LicenseService::WithoutFeatures);
        assert!(lmstat(&mut world, names::HOLDER).2.trim_end().ends_with("Feature usage info:"));
        world.set_license_service(LicenseService::OneFeatureRejected);
        assert!(lmstat(&mut world, names::HOLDER).2.contains("Users of PTON:  (Error"));
    }

    #[test]
    fn without_a_license_server_lmstat_fails_with_its_error() {
        let mut world = pair().world();
        let (status, code, output) = lmstat(&mut world, names::STANDBY);
        assert_eq!((status, code, output.contains("(-15,570:111")), ("Failed", 241, true));
        world.kill_token_server(names::HOLDER).unwrap();
        assert_eq!(lmstat(&mut world, names::HOLDER).1, 241);
    }

    #[test]
    fn a_missing_or_other_tool_has_its_own_exit_code() {
        let mut world = pair().world();
        for (lmutil, expected) in [
            (Lmutil::Missing, ("Failed", 127)),
            (Lmutil::NotExecutable, ("Failed", 126)),
            (Lmutil::Other, ("Success", 0)),
        ] {
            world.set_lmutil(names::HOLDER, lmutil).unwrap();
            let (status, code, output) = lmstat(&mut world, names::HOLDER);
            assert_eq!(((status, code), output.contains("UP")), (expected, false), "{lmutil:?}");
        }
    }

    #[test]
    fn a_long_output_is_cut_off() {
        let mut world = pair().world();
        world.set_license_service(LicenseService::ManyFeatures);
        let output = lmstat(&mut world, names::HOLDER).2;
        assert_eq!((output.chars().count(), output.ends_with(CUT)), (LONGEST_OUTPUT, true));
    }

    #[test]
    fn the_check_starts_no_token_server() {
        let scenario = pair().instance(names::STANDBY, |standby| standby.token_server_on_command());
        let mut world = scenario.timings(Timings::default()).world();
        world.detach(names::INTERFACE).unwrap();
        world.advance(world.now());
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        world.advance(world.now());
        for _ in 0..2 {
            assert_eq!(lmstat(&mut world, names::STANDBY).1, 241);
        }
        world.act(SendCommand::to(names::STANDBY, names::DOCUMENT)).unwrap();
        world.advance(world.now() + Duration::from_secs(1));
        assert_eq!(lmstat(&mut world, names::STANDBY).1, 0);
    }
}
