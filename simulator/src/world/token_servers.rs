//! The token servers on the instances, lmgrd and its vendor daemon, and connections to their TCP ports.
//!
//! A license names the MAC address of one interface, so its token server runs only on the instance with that interface.
//! The time of its start determines when it listens; no process is scheduled for it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::state::World;
use crate::model::{ApiError, AttachmentStatus, InstanceState, Refusal, Started, TokenServer, TokenServers};

impl World {
    /// Connects to a TCP port at a private address now, or returns the reason for the failure. The caller decides how
    /// long to wait.
    ///
    /// The port answers if an interface with the address is attached to a running instance whose token server listens
    /// on the port. It listens on all addresses of the instance, as lmgrd does.
    ///
    /// Assumed: a hung instance does not answer. Security groups and network ACLs are not considered, because the
    /// source of the connection is unknown; see [`set_firewalled`](Self::set_firewalled).
    pub fn answers(&self, address: SocketAddr) -> Result<(), Refusal> {
        let IpAddr::V4(private_ip) = address.ip() else { return Err(Refusal::Silent) };
        let instance_id = self.attached_instance_with(private_ip).ok_or(Refusal::Silent)?;
        let instance = self.region.instance(instance_id).map_err(|_| Refusal::Silent)?;
        if instance.state != InstanceState::Running || instance.hung || instance.firewalled {
            return Err(Refusal::Silent);
        }
        if self.token_server_listens_on(instance_id) && self.token_servers.ports.contains(&address.port()) {
            Ok(())
        } else {
            Err(Refusal::Refused)
        }
    }

    /// Whether the token server on the instance has started.
    pub(crate) fn token_server_listens_on(&self, instance_id: &str) -> bool {
        self.token_server_of(instance_id).is_some_and(|started| started.listens_from <= self.now)
    }

    /// Kills the token server. It starts again in the usual way: with the instance, with the interface, or by a
    /// command.
    pub fn kill_token_server(&mut self, instance_id: &str) -> Result<(), ApiError> {
        self.region.instance(instance_id)?;
        self.revision += 1;
        self.token_servers.started.remove(instance_id);
        Ok(())
    }

    /// Starts the token server as another actor. Without the license interface, this has no effect.
    pub fn start_token_server(&mut self, instance_id: &str) -> Result<(), ApiError> {
        let is_running = self.region.instance(instance_id)?.state == InstanceState::Running;
        self.revision += 1;
        if let Some(attachment_id) = self.license_attachment_to(instance_id).map(str::to_owned)
            && is_running
        {
            self.note_token_server(instance_id, attachment_id, self.region.timings.token_server);
        }
        Ok(())
    }

    /// Sets whether packets from outside are dropped.
    pub fn set_firewalled(&mut self, instance_id: &str, firewalled: bool) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.firewalled = firewalled;
        Ok(())
    }

    pub(crate) fn set_token_servers(&mut self, token_servers: TokenServers) {
        self.token_servers = token_servers;
    }

    /// At the beginning of a world, token servers have been listening for a long time.
    pub(crate) fn begin_with_token_servers(&mut self) {
        let is_running = |id: &str| self.region.instance(id).is_ok_and(|it| it.state == InstanceState::Running);
        let license = self.attachment_of(&self.token_servers.license_interface);
        if let Some(id) = license.map(|attachment| attachment.instance_id.clone()).filter(|id| is_running(id)) {
            self.boot_token_server(&id, Duration::ZERO);
        }
    }

    /// The instance has started, and processes from before have ended.
    pub(crate) fn start_token_server_at_boot(&mut self, instance_id: &str) {
        self.boot_token_server(instance_id, self.region.timings.token_server);
    }

    fn boot_token_server(&mut self, instance_id: &str, takes: Duration) {
        self.token_servers.started.remove(instance_id);
        let Some(attachment_id) = self.license_attachment_to(instance_id) else { return };
        let has_server =
            self.region.instance(instance_id).is_ok_and(|instance| instance.token_server != TokenServer::Missing);
        if has_server {
            let attachment_id = attachment_id.to_owned();
            self.note_token_server(instance_id, attachment_id, takes);
        }
    }

    /// An interface has been attached. A token server may be waiting for it.
    pub(crate) fn start_token_server_with(&mut self, attachment_id: &str) {
        let Ok(license) = self.region.interface(&self.token_servers.license_interface) else { return };
        let Some(attachment) = license.attachment.as_ref().filter(|attachment| attachment.id == attachment_id) else {
            return;
        };
        let Ok(instance) = self.region.instance(&attachment.instance_id) else { return };
        let starts = instance.token_server == TokenServer::ByItself && instance.state == InstanceState::Running;
        if starts && attachment.status == AttachmentStatus::Attached {
            let instance_id = instance.id.clone();
            self.note_token_server(&instance_id, attachment_id.to_owned(), self.region.timings.token_server);
        }
    }

    /// A command that began while the license interface was attached has succeeded.
    ///
    /// Assumed: it does not interrupt a running token server.
    pub(crate) fn start_token_server_by_command(&mut self, instance_id: &str, attachment_id: String) {
        let is_there = self.token_server_of(instance_id).is_some();
        let has_server =
            self.region.instance(instance_id).is_ok_and(|instance| instance.token_server != TokenServer::Missing);
        if has_server && !is_there {
            self.note_token_server(instance_id, attachment_id, self.region.timings.token_server);
        }
    }

    fn note_token_server(&mut self, instance_id: &str, attachment_id: String, takes: Duration) {
        let listens_from = self.now.saturating_add(takes);
        self.token_servers.started.insert(instance_id.to_owned(), Started { attachment_id, listens_from });
    }

    /// The token server that was started with the current attachment of the license interface.
    fn token_server_of(&self, instance_id: &str) -> Option<&Started> {
        let attachment_id = self.license_attachment_to(instance_id)?;
        self.token_servers.started.get(instance_id).filter(|started| started.attachment_id == attachment_id)
    }

    /// The attachment of the license interface, if it is attached to this instance.
    pub(crate) fn license_attachment_to(&self, instance_id: &str) -> Option<&str> {
        let attachment = self.attachment_of(&self.token_servers.license_interface)?;
        let is_there = attachment.status == AttachmentStatus::Attached && attachment.instance_id == instance_id;
        is_there.then_some(attachment.id.as_str())
    }

    fn attached_instance_with(&self, private_ip: Ipv4Addr) -> Option<&str> {
        self.region
            .interfaces()
            .filter(|interface| interface.private_ip == private_ip)
            .filter_map(|interface| interface.attachment.as_ref())
            .find(|attachment| attachment.status == AttachmentStatus::Attached)
            .map(|attachment| attachment.instance_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        InstanceSpec, Scenario, names, pair,
        world::{SendCommand, Timings},
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::new(names::PRIVATE_IP.parse().unwrap(), port)
    }

    fn answer(world: &mut World, now: u64) -> Result<(), Refusal> {
        world.connect(seconds(now), at(27007))
    }

    /// Moves the interface from the holder to the standby, or back.
    fn move_to(world: &mut World, instance_id: &str) {
        world.detach(names::INTERFACE).unwrap();
        world.advance(world.now());
        world.attach(names::INTERFACE, instance_id, 1).unwrap();
        world.advance(world.now());
    }

    fn send(world: &mut World, instance_id: &str) {
        world.act(SendCommand::to(instance_id, names::DOCUMENT)).unwrap();
        world.advance(world.now());
    }

    fn both(change: fn(InstanceSpec) -> InstanceSpec) -> Scenario {
        pair().instance(names::HOLDER, change).instance(names::STANDBY, change)
    }

    #[test]
    fn the_ports_of_the_token_server_answer_and_no_others() {
        let mut world = pair().timings(Timings::realistic()).world();
        for (port, expected) in [(27007, Ok(())), (27008, Ok(())), (27009, Err(Refusal::Refused))] {
            assert_eq!(world.connect(Duration::ZERO, at(port)), expected, "{port}");
        }
        let mut world = pair().token_server_ports([1700]).world();
        for (port, expected) in [(1700, Ok(())), (27007, Err(Refusal::Refused))] {
            assert_eq!(world.connect(Duration::ZERO, at(port)), expected, "{port}");
        }
        for unused in ["10.0.1.51:27007", "[::1]:27007"] {
            assert_eq!(world.answers(unused.parse().unwrap()), Err(Refusal::Silent), "{unused}");
        }
    }

    #[test]
    fn it_listens_on_every_address_of_the_instance_that_has_the_interface() {
        let mut world = pair().world();
        let own = |world: &World, id| {
            let primary = world.interface(&names::primary_interface_of(id)).unwrap().private_ip;
            world.answers(SocketAddr::new(primary.into(), 27007))
        };
        assert_eq!([names::HOLDER, names::STANDBY].map(|id| own(&world, id)), [Ok(()), Err(Refusal::Refused)]);
        move_to(&mut world, names::STANDBY);
        assert_eq!([names::HOLDER, names::STANDBY].map(|id| own(&world, id)), [Err(Refusal::Refused), Ok(())]);
    }

    #[test]
    fn the_token_server_stops_with_the_interface_and_starts_some_time_after_its_arrival() {
        let timings =
            Timings { detach: seconds(2), attach: seconds(1), token_server: seconds(5), ..Timings::default() };
        let mut world = pair().timings(timings).world();
        world.detach(names::INTERFACE).unwrap();
        assert_eq!(answer(&mut world, 0), Err(Refusal::Silent));
        assert_eq!(answer(&mut world, 2), Err(Refusal::Silent));
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        assert_eq!(answer(&mut world, 2), Err(Refusal::Silent));
        assert_eq!(answer(&mut world, 3), Err(Refusal::Refused));
        assert_eq!(answer(&mut world, 7), Err(Refusal::Refused));
        assert_eq!(answer(&mut world, 8), Ok(()));
    }

    #[test]
    fn the_token_server_stops_with_the_instance_and_starts_some_time_after_it() {
        let timings = Timings { stop: seconds(6), boot: seconds(8), token_server: seconds(5), ..Timings::default() };
        let mut world = pair().timings(timings).world();
        world.stop(names::HOLDER).unwrap();
        assert_eq!(answer(&mut world, 0), Err(Refusal::Silent));
        assert_eq!(answer(&mut world, 6), Err(Refusal::Silent));
        world.start(names::HOLDER).unwrap();
        assert_eq!(answer(&mut world, 13), Err(Refusal::Silent));
        assert_eq!(answer(&mut world, 14), Err(Refusal::Refused));
        assert_eq!(answer(&mut world, 19), Ok(()));
    }

    #[test]
    fn a_cold_standby_starts_it_at_boot_if_the_interface_is_there_by_then() {
        for change in [InstanceSpec::running, InstanceSpec::token_server_on_command] {
            let mut world = both(change).instance(names::STANDBY, InstanceSpec::stopped).world();
            move_to(&mut world, names::STANDBY);
            assert_eq!(answer(&mut world, 1), Err(Refusal::Silent));
            world.start(names::STANDBY).unwrap();
            assert_eq!(answer(&mut world, 1), Ok(()));
        }
    }

    #[test]
    fn a_running_standby_may_need_activation_each_time_the_interface_arrives() {
        let mut world = both(InstanceSpec::token_server_on_command).world();
        assert_eq!(answer(&mut world, 0), Ok(()), "the holder has had it since its boot");
        // The command is too early.
        send(&mut world, names::STANDBY);
        move_to(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 0), Err(Refusal::Refused));
        // The command goes to the wrong instance.
        send(&mut world, names::HOLDER);
        assert_eq!(answer(&mut world, 0), Err(Refusal::Refused));
        send(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 0), Ok(()));
        for id in [names::HOLDER, names::STANDBY] {
            move_to(&mut world, id);
            assert_eq!(answer(&mut world, 0), Err(Refusal::Refused));
        }
        send(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 0), Ok(()));
    }

    #[test]
    fn a_command_that_began_before_the_interface_arrived_activates_nothing() {
        let timings = Timings { command: seconds(3), token_server: seconds(1), ..Timings::default() };
        let mut world = both(InstanceSpec::token_server_on_command).timings(timings).world();
        let activate = |world: &mut World| world.act(SendCommand::to(names::STANDBY, names::DOCUMENT)).unwrap();
        activate(&mut world);
        world.advance(seconds(2));
        move_to(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 10), Err(Refusal::Refused));
        activate(&mut world);
        assert_eq!(answer(&mut world, 13), Err(Refusal::Refused));
        assert_eq!(answer(&mut world, 14), Ok(()));
    }

    #[test]
    fn a_failed_command_activates_nothing() {
        let mut world = both(|instance| instance.token_server_on_command().command_fails()).world();
        move_to(&mut world, names::STANDBY);
        send(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 1), Err(Refusal::Refused));
    }

    #[test]
    fn an_instance_can_have_no_token_server_or_a_firewall_or_hang() {
        let mut world = both(InstanceSpec::without_token_server).world();
        send(&mut world, names::HOLDER);
        assert_eq!(answer(&mut world, 1), Err(Refusal::Refused));
        assert_eq!(answer(&mut both(InstanceSpec::firewalled).world(), 1), Err(Refusal::Silent));
        let mut world = pair().world();
        world.crash(names::HOLDER).unwrap();
        assert_eq!(answer(&mut world, 1), Err(Refusal::Silent));
        world.set_hung(names::HOLDER, false).unwrap();
        assert_eq!(answer(&mut world, 1), Ok(()));
        world.set_firewalled(names::HOLDER, true).unwrap();
        assert_eq!(answer(&mut world, 1), Err(Refusal::Silent));
    }

    #[test]
    fn a_killed_token_server_can_be_started_again() {
        let mut world = pair().timings(Timings { token_server: seconds(5), ..Timings::default() }).world();
        world.kill_token_server(names::HOLDER).unwrap();
        assert_eq!(answer(&mut world, 1), Err(Refusal::Refused));
        world.start_token_server(names::HOLDER).unwrap();
        assert_eq!(answer(&mut world, 5), Err(Refusal::Refused));
        assert_eq!(answer(&mut world, 6), Ok(()));
        world.kill_token_server(names::HOLDER).unwrap();
        send(&mut world, names::HOLDER);
        assert_eq!(answer(&mut world, 11), Ok(()));
        world.start_token_server(names::STANDBY).unwrap();
        move_to(&mut world, names::STANDBY);
        assert_eq!(answer(&mut world, 11), Err(Refusal::Refused), "no token server starts without the interface");
        assert_eq!(answer(&mut world, 16), Ok(()));
        assert!(world.kill_token_server("i-0aaaaaaaaaaaaaaa9").is_err());
    }

    #[test]
    fn a_license_may_be_for_another_interface() {
        let other = "eni-0ddddddddddddddd2";
        let mut world = pair()
            .license_interface(other)
            .interface(other, |interface| interface.private_ip("10.0.1.60").on(names::STANDBY, 1))
            .world();
        assert_eq!(answer(&mut world, 0), Err(Refusal::Refused));
        assert_eq!(world.answers("10.0.1.60:27008".parse().unwrap()), Ok(()));
    }
}
