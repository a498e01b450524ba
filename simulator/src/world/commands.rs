//! Systems Manager's Run Command: SendCommand, GetCommandInvocation.

use std::{collections::BTreeMap, ops::Deref, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    documents,
    kinds::{Ask, Change, Look},
    managed_nodes::{check_instance_id, not_valid},
    parameters::Parameters,
    state::World,
};
use crate::{
    model::{ApiError, COMMAND, Command, CommandBehavior, CommandStatus, Document, Effect, Home, Process},
    names,
};

/// In seconds (service model, `TimeoutSeconds`).
const TIMEOUTS: std::ops::RangeInclusive<u64> = 30..=2_592_000;
/// In seconds. Assumed: an hour, the default of the console.
const DEFAULT_TIMEOUT: u64 = 3600;
/// In characters (service model, `Comment`).
const LONGEST_COMMENT: usize = 100;
/// Instances of one request (service model, `InstanceIdList`).
const MAX_INSTANCES: usize = 50;

#[derive(Debug, Clone, Default)]
pub struct SendCommand {
    /// A name or an ARN.
    pub document_name: String,
    pub instance_ids: Vec<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    pub timeout_seconds: Option<u64>,
    pub comment: Option<String>,
}

impl SendCommand {
    pub fn to(instance_id: impl Into<String>, document_name: impl Into<String>) -> Self {
        Self { document_name: document_name.into(), instance_ids: vec![instance_id.into()], ..Self::default() }
    }
}

/// The answer to SendCommand: one command, on all of its instances.
#[derive(Debug, Clone, PartialEq)]
pub struct SentCommand {
    pub command_id: String,
    pub document_name: String,
    pub instance_ids: Vec<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    pub comment: String,
    pub timeout_seconds: u64,
    pub requested_at: DateTime<Utc>,
}

impl Ask for SendCommand {
    fn parameters(&self) -> Parameters {
        let given: Vec<String> =
            self.parameters.iter().map(|(name, values)| format!("{name}={}", values.join("|"))).collect();
        Parameters::of("DocumentName", &self.document_name)
            .and_list("InstanceIds", &self.instance_ids)
            .and_list("Parameters", &given)
            .and_if_any("TimeoutSeconds", self.timeout_seconds)
    }
}

impl Change for SendCommand {
    type Answer = SentCommand;

    /// `InvalidDocument`, `InvalidParameters`, `DuplicateInstanceId` and `InvalidInstanceId` are 400 (service model).
    ///
    /// `InvalidInstanceId` is also the answer for an instance whose agent is not running or not registered. Its
    /// documentation calls stopped instances valid; assumed: they are refused nevertheless, because their agent is not
    /// connected. Also assumed: the order of the checks, and that one instance that cannot take the command fails the
    /// whole request.
    fn check(&self, world: &World) -> Result<(), ApiError> {
        self.check_form()?;
        let document = world.document(&self.document_name)?;
        self.check_parameters(document)?;
        let answers = |id: &&String| !world.region().instance(id).is_ok_and(|instance| instance.agent_answers());
        let silent: Vec<&String> = self.instance_ids.iter().filter(answers).collect();
        if silent.is_empty() { Ok(()) } else { Err(not_valid(silent)) }
    }

    fn change(&self, world: &mut World) -> Result<SentCommand, ApiError> {
        let (now, until_delivery) = (world.now, world.region.timings.command / 3);
        let effect = world.document(&self.document_name).map(|document| document.effect).unwrap_or_default();
        let command_id = world.command_ids.uuid();
        let timeout_seconds = self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
        let comment = self.comment.clone().unwrap_or_default();
        world.revision += 1;
        for instance_id in &self.instance_ids {
            world.commands.push(Command {
                id: command_id.clone(),
                document_name: self.document_name.clone(),
                instance_id: instance_id.clone(),
                parameters: self.parameters.clone(),
                comment: comment.clone(),
                timeout: Duration::from_secs(timeout_seconds),
                sent_at: now,
                started_at: None,
                ended_at: None,
                status: CommandStatus::Pending,
                result: None,
                effect,
                license_attachment: None,
            });
            let (command_id, instance_id) = (command_id.clone(), instance_id.clone());
            world.begin(until_delivery, Process::Deliver { command_id, instance_id });
        }
        Ok(SentCommand {
            command_id,
            document_name: self.document_name.clone(),
            instance_ids: self.instance_ids.clone(),
            parameters: self.parameters.clone(),
            comment,
            timeout_seconds,
            requested_at: world.region.home.time(now),
        })
    }
}

impl SendCommand {
    /// Checks the constraints of the service model on the parameters.
    fn check_form(&self) -> Result<(), ApiError> {
        documents::check_name("DocumentName", &self.document_name)?;
        if !(1..=MAX_INSTANCES).contains(&self.instance_ids.len()) {
            return Err(ApiError::validation("InstanceIds", &format!("have length between 1 and {MAX_INSTANCES}")));
        }
        self.instance_ids.iter().try_for_each(|id| check_instance_id("InstanceIds", id))?;
        if self.timeout_seconds.is_some_and(|seconds| !TIMEOUTS.contains(&seconds)) {
            let constraint = format!("have value between {} and {}", TIMEOUTS.start(), TIMEOUTS.end());
            return Err(ApiError::validation("TimeoutSeconds", &constraint));
        }
        if self.comment.as_ref().is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
            return Err(ApiError::validation(
                "Comment",
                &format!("have length less than or equal to {LONGEST_COMMENT}"),
            ));
        }
        let mut ids = self.instance_ids.clone();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(ApiError::client("DuplicateInstanceId", format!("The instance {} is named twice.", pair[0])))
            }
            None => Ok(()),
        }
    }

    /// "You must specify values for all required parameters in the SSM document. You can only supply values to
    /// parameters defined in the SSM document" (service model, `InvalidParameters`).
    ///
    /// Assumed: a document that is not a command document is an `InvalidDocument`.
    fn check_parameters(&self, document: &Document) -> Result<(), ApiError> {
        if document.document_type != COMMAND {
            return Err(ApiError::client(
                "InvalidDocument",
                format!("Document {} is of type {}.", document.name, document.document_type),
            ));
        }
        let wrong =
            |name: &String, what: &str| Err(ApiError::client("InvalidParameters", format!("Parameter {name} {what}")));
        if let Some(name) = self.parameters.keys().find(|name| !document.parameters.contains_key(*name)) {
            return wrong(name, &format!("is not defined in document {}.", document.name));
        }
        let is_missing = |name: &str| self.parameters.get(name).is_none_or(Vec::is_empty);
        match document.parameters.iter().find(|(name, is_required)| **is_required && is_missing(name)) {
            Some((name, _)) => wrong(name, "is required, and has no value."),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct GetCommandInvocation {
    pub command_id: String,
    pub instance_id: String,
}

impl GetCommandInvocation {
    pub fn of(command_id: impl Into<String>, instance_id: impl Into<String>) -> Self {
        Self { command_id: command_id.into(), instance_id: instance_id.into() }
    }
}

/// A command on one instance as in GetCommandInvocation.
#[derive(Debug, Clone)]
pub struct InvocationView {
    pub command: Command,
    /// The time since the command was started.
    pub elapsed: Option<Duration>,
    pub(crate) home: Arc<Home>,
}

impl Deref for InvocationView {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

impl Ask for GetCommandInvocation {
    fn parameters(&self) -> Parameters {
        Parameters::of("CommandId", &self.command_id).and("InstanceId", &self.instance_id)
    }
}

impl Look for GetCommandInvocation {
    type Answer = InvocationView;

    /// `InvocationDoesNotExist`, 400: "The command ID and managed node ID you specified didn't match any invocations"
    /// (service model). A command is also unknown for [`Timings::command_visible`](super::Timings) after it was sent;
    /// public code waits for that. A command id has 36 characters (service model, `CommandId`).
    fn look(&self, world: &World) -> Result<InvocationView, ApiError> {
        if self.command_id.len() != 36 {
            return Err(ApiError::validation("CommandId", "have length equal to 36"));
        }
        check_instance_id("InstanceId", &self.instance_id)?;
        let visible = world.region.timings.command_visible;
        world
            .commands
            .iter()
            .find(|command| command.id == self.command_id && command.instance_id == self.instance_id)
            .filter(|command| command.sent_at.saturating_add(visible) <= world.now)
            .map(|command| InvocationView {
                elapsed: command.started_at.map(|start| command.ended_at.unwrap_or(world.now).saturating_sub(start)),
                command: command.clone(),
                home: world.region.home.clone(),
            })
            .ok_or_else(|| {
                ApiError::client(
                    "InvocationDoesNotExist",
                    "The command ID and instance ID you specified did not match any invocations.",
                )
            })
    }
}

impl World {
    /// Every sent command, one entry for each of its instances, in order.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Sets how commands end. A running command may still fail or succeed.
    pub fn set_command_behavior(&mut self, instance_id: &str, behavior: CommandBehavior) -> Result<(), ApiError> {
        self.region_mut().instance_mut(instance_id)?.command_behavior = behavior;
        Ok(())
    }

    fn command_mut(&mut self, id: &str, instance_id: &str) -> Option<&mut Command> {
        self.revision += 1;
        self.commands.iter_mut().rfind(|command| command.id == id && command.instance_id == instance_id)
    }

    /// The agent takes the command, or the command stays undelivered until its time is over.
    ///
    /// Assumed: there is only one attempt, so an agent that connects later does not receive it.
    pub(crate) fn deliver_command(&mut self, id: &str, instance_id: &str) {
        let now = self.now;
        let instance = self.region.instance(instance_id).ok();
        let behavior = instance.filter(|instance| instance.agent_answers()).map(|instance| instance.command_behavior);
        let license_attachment = self.license_attachment_to(instance_id).map(str::to_owned);
        let run_takes = self.region.timings.command - self.region.timings.command / 3;
        let Some(command) = self.command_mut(id, instance_id) else { return };
        let (command_id, instance_id) = (id.to_owned(), instance_id.to_owned());
        if matches!(behavior, None | Some(CommandBehavior::NeverDelivered)) {
            let left = command.timeout.saturating_sub(now - command.sent_at);
            self.begin(left, Process::GiveUp { command_id, instance_id });
            return;
        }
        command.status = CommandStatus::InProgress;
        command.started_at = Some(now);
        command.license_attachment = license_attachment;
        if behavior != Some(CommandBehavior::NeverEnds) {
            self.begin(run_takes, Process::Finish { command_id, instance_id });
        }
    }

    /// What the document of a command does. A document that was deleted since still has its effect.
    fn effect_of(&self, id: &str, instance_id: &str) -> Option<Effect> {
        let is_it = |command: &&Command| command.id == id && command.instance_id == instance_id;
        self.commands.iter().rfind(is_it).map(|command| command.effect)
    }

    /// Ends the command. On an instance that hangs, it never ends.
    pub(crate) fn finish_command(&mut self, id: &str, instance_id: &str) {
        let now = self.now;
        let Some(instance) = self.region.instance(instance_id).ok().filter(|instance| !instance.hung) else { return };
        let fails = instance.command_behavior == CommandBehavior::Fails;
        let Some(effect) = self.effect_of(id, instance_id) else { return };
        let result = match effect {
            _ if fails => (names::COMMAND_OUTPUT.to_owned(), 1),
            Effect::Activates => (names::COMMAND_OUTPUT.to_owned(), 0),
            Effect::ChecksLicense => self.lmstat_on(instance_id),
        };
        let Some(command) = self.command_mut(id, instance_id) else { return };
        if command.status.is_over() {
            return;
        }
        let succeeds = result.1 == 0;
        command.status = if succeeds { CommandStatus::Success } else { CommandStatus::Failed };
        command.ended_at = Some(now);
        command.result = Some(result);
        if succeeds
            && effect == Effect::Activates
            && let Some(attachment_id) = command.license_attachment.clone()
        {
            self.start_token_server_by_command(instance_id, attachment_id);
        }
    }

    /// "If this time is reached and the command hasn't already started running, it won't run" (service model,
    /// `TimeoutSeconds`).
    pub(crate) fn give_up_command(&mut self, id: &str, instance_id: &str) {
        let now = self.now;
        if let Some(command) = self.command_mut(id, instance_id) {
            command.status = CommandStatus::TimedOut;
            command.ended_at = Some(now);
        }
    }

    /// Assumed: a running command fails when its instance stops, and an undelivered command is dropped.
    pub(crate) fn fail_commands_on(&mut self, instance_id: &str) {
        let now = self.now;
        let runs =
            |command: &&mut Command| command.instance_id == instance_id && command.status == CommandStatus::InProgress;
        for command in self.commands.iter_mut().filter(runs) {
            command.status = CommandStatus::Failed;
            command.ended_at = Some(now);
            command.result = Some((names::COMMAND_OUTPUT.to_owned(), 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        InstanceSpec, names, pair,
        world::{Agent, Timings},
    };

    fn milliseconds(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn send(world: &mut World) -> String {
        world.act(SendCommand::to(names::STANDBY, names::DOCUMENT)).unwrap().command_id
    }

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.status, 400);
        error.code.into_owned()
    }

    fn seen(world: &mut World, now: Duration, id: &str) -> Result<(&'static str, &'static str, i32), String> {
        let view = world.call(now, GetCommandInvocation::of(id, names::STANDBY));
        view.map(|view| (view.status.name(), view.status.details(), view.response_code()))
            .map_err(|error| error.code.into_owned())
    }

    #[test]
    fn a_command_becomes_visible_runs_and_ends() {
        let mut world = pair().timings(Timings::realistic()).world();
        let id = send(&mut world);
        for (at, expected) in [
            (199, Err("InvocationDoesNotExist".to_owned())),
            (200, Ok(("Pending", "Pending", -1))),
            (499, Ok(("Pending", "Pending", -1))),
            (500, Ok(("InProgress", "In Progress", -1))),
            (1499, Ok(("InProgress", "In Progress", -1))),
            (1500, Ok(("Success", "Success", 0))),
        ] {
            assert_eq!(seen(&mut world, milliseconds(at), &id), expected, "{at} ms");
        }
        let view = world.act(GetCommandInvocation::of(&id, names::STANDBY)).unwrap();
        assert_eq!((view.elapsed, view.output()), (Some(milliseconds(1000)), names::COMMAND_OUTPUT));
        let other = GetCommandInvocation::of(&id, names::HOLDER);
        assert_eq!(code(world.act(other)), "InvocationDoesNotExist");
    }

    #[test]
    fn a_command_without_duration_has_ended_at_the_next_read() {
        let mut world = pair().world();
        let id = send(&mut world);
        assert_eq!(world.commands()[0].status, CommandStatus::Pending);
        assert_eq!(seen(&mut world, Duration::ZERO, &id), Ok(("Success", "Success", 0)));
    }

    #[test]
    fn an_instance_determines_how_its_commands_end() {
        for (behavior, expected) in [
            (CommandBehavior::Succeeds, ("Success", "Success", 0)),
            (CommandBehavior::Fails, ("Failed", "Failed", 1)),
            (CommandBehavior::NeverEnds, ("InProgress", "In Progress", -1)),
            (CommandBehavior::NeverDelivered, ("Pending", "Pending", -1)),
        ] {
            let mut world = pair().instance(names::STANDBY, |instance| instance.command_behavior(behavior)).world();
            let request = SendCommand { timeout_seconds: Some(60), ..SendCommand::to(names::STANDBY, names::DOCUMENT) };
            let id = world.act(request).unwrap().command_id;
            assert_eq!(seen(&mut world, milliseconds(59_999), &id), Ok(expected));
            let late = if expected.0 == "Pending" { ("TimedOut", "Delivery Timed Out", -1) } else { expected };
            assert_eq!(seen(&mut world, milliseconds(60_000), &id), Ok(late));
        }
    }

    #[test]
    fn a_command_fails_when_its_instance_stops() {
        let mut world = pair().instance(names::STANDBY, InstanceSpec::command_never_ends).world();
        let id = send(&mut world);
        world.advance(milliseconds(1));
        world.stop(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world, milliseconds(2), &id), Ok(("Failed", "Failed", 1)));

        let mut world = pair().timings(Timings { command: milliseconds(3000), ..Timings::default() }).world();
        let id = send(&mut world);
        world.advance(milliseconds(500));
        world.stop(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world, milliseconds(4000), &id), Ok(("Pending", "Pending", -1)));
        assert_eq!(seen(&mut world, milliseconds(3_600_000), &id), Ok(("TimedOut", "Delivery Timed Out", -1)));
    }

    #[test]
    fn a_command_that_a_crash_interrupts_never_ends() {
        let mut world = pair().timings(Timings { command: milliseconds(3000), ..Timings::default() }).world();
        let id = send(&mut world);
        world.advance(milliseconds(2000));
        world.crash(names::STANDBY).unwrap();
        assert_eq!(seen(&mut world, milliseconds(9_000_000), &id), Ok(("InProgress", "In Progress", -1)));
    }

    #[test]
    fn an_instance_without_a_responding_agent_accepts_no_command() {
        let mut world = pair().world();
        let refused = |change: &dyn Fn(&mut World)| {
            let mut world = world.clone();
            change(&mut world);
            world.advance(world.now() + milliseconds(1));
            code(world.act(SendCommand::to(names::STANDBY, names::DOCUMENT)))
        };
        assert_eq!(refused(&|world| world.set_agent(names::STANDBY, Agent::Missing).unwrap()), "InvalidInstanceId");
        assert_eq!(refused(&|world| world.set_agent(names::STANDBY, Agent::Lost).unwrap()), "InvalidInstanceId");
        assert_eq!(refused(&|world| world.stop(names::STANDBY).unwrap()), "InvalidInstanceId");
        assert_eq!(refused(&|world| world.terminate(names::STANDBY).unwrap()), "InvalidInstanceId");
        assert_eq!(refused(&|world| world.crash(names::STANDBY).unwrap()), "InvalidInstanceId");
        assert_eq!(refused(&|world| world.delete_document(names::DOCUMENT)), "InvalidDocument");
        let absent = SendCommand::to("i-0aaaaaaaaaaaaaaa9", names::DOCUMENT);
        assert_eq!(code(world.act(absent)), "InvalidInstanceId");
        assert!(world.commands().is_empty());
    }

    #[test]
    fn only_parameters_of_the_document_are_accepted() {
        let mut world = pair()
            .document(names::DOCUMENT, |document| document.required_parameter("Unit"))
            .document("recovery", |document| document.document_type("Automation"))
            .world();
        let mut send = |document: &str, parameters: &[(&str, &[&str])]| {
            let parameters = parameters
                .iter()
                .map(|(name, values)| ((*name).to_owned(), values.iter().map(|&value| value.to_owned()).collect()))
                .collect();
            let request = SendCommand { parameters, ..SendCommand::to(names::STANDBY, document) };
            world.act(request).map_err(|error| error.code.into_owned()).map(drop)
        };
        let invalid = Err("InvalidParameters".to_owned());
        assert_eq!(send(names::DOCUMENT, &[("Unit", &["lmgrd"])]), Ok(()));
        assert_eq!(send(names::DOCUMENT, &[("Unit", &["lmgrd"]), ("Service", &["a", "b"])]), Ok(()));
        assert_eq!(send(names::DOCUMENT, &[]), invalid);
        assert_eq!(send(names::DOCUMENT, &[("Unit", &[])]), invalid);
        assert_eq!(send(names::DOCUMENT, &[("Unit", &["lmgrd"]), ("Color", &["red"])]), invalid);
        assert_eq!(send("recovery", &[]), Err("InvalidDocument".to_owned()));
        assert_eq!(world.commands()[1].parameters["Service"], ["a", "b"]);
    }

    #[test]
    fn a_request_that_violates_a_constraint_is_refused() {
        let mut world = pair().world();
        let valid = || SendCommand::to(names::STANDBY, names::DOCUMENT);
        let twice = vec![names::STANDBY.to_owned(), names::STANDBY.to_owned()];
        for (request, expected) in [
            (SendCommand { timeout_seconds: Some(29), ..valid() }, "ValidationException"),
            (SendCommand { timeout_seconds: Some(2_592_001), ..valid() }, "ValidationException"),
            (SendCommand { comment: Some("ü".repeat(101)), ..valid() }, "ValidationException"),
            (SendCommand { instance_ids: Vec::new(), ..valid() }, "ValidationException"),
            (SendCommand { instance_ids: vec!["i-9".to_owned()], ..valid() }, "ValidationException"),
            (SendCommand { instance_ids: twice, ..valid() }, "DuplicateInstanceId"),
            (SendCommand { document_name: "no document".to_owned(), ..valid() }, "ValidationException"),
        ] {
            assert_eq!(code(world.act(request.clone())), expected, "{request:?}");
        }
        assert_eq!(code(world.act(GetCommandInvocation::of("x", names::STANDBY))), "ValidationException");
        let widest = SendCommand { timeout_seconds: Some(30), comment: Some("ü".repeat(100)), ..valid() };
        world.act(widest).unwrap();
    }

    #[test]
    fn a_command_goes_to_several_instances_and_leaves_other_ids_as_they_are() {
        let mut world = pair().world();
        let ids = vec![names::HOLDER.to_owned(), names::STANDBY.to_owned()];
        let sent = world.act(SendCommand { instance_ids: ids, ..SendCommand::to("", names::DOCUMENT) }).unwrap();
        let places: Vec<_> =
            world.commands().iter().map(|command| (command.id.as_str(), command.instance_id.as_str())).collect();
        let id = sent.command_id.as_str();
        assert_eq!(places, [(id, names::HOLDER), (id, names::STANDBY)]);
        world.detach(names::INTERFACE).unwrap();
        world.advance(milliseconds(1));
        world.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        let mut other = pair().world();
        other.detach(names::INTERFACE).unwrap();
        other.advance(milliseconds(1));
        other.attach(names::INTERFACE, names::STANDBY, 1).unwrap();
        assert_eq!(world.attachment_of(names::INTERFACE), other.attachment_of(names::INTERFACE));
    }
}
