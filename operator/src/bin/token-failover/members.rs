//! The members that `init` writes: a tag that they carry, or the ids of the holder and the standbys.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use token_failover::decide::members::{elsewhere, members};
use token_failover::decide::plan::plan;
use token_failover::model::config::{Config, MemberTag};
use token_failover::model::finding::{Finding, FindingCode};
use token_failover::model::ids::InstanceId;
use token_failover::model::observation::{Instance, InstanceState, NetworkInterface, Observation, Reading};
use token_failover::model::plan::{Action, Decision, Refusal};
use token_failover::model::request::Intent;
use token_failover::tell::findings::Advisor;
use token_failover_aws::Tags;

use crate::ended::Trouble;

/// An instance in the VPC and zone of the interface, with its tags.
pub(crate) type Neighbor = (Instance, Tags);

/// Reads the tag of the members, as the function reads it.
pub(crate) fn member_tag(text: &str) -> Result<MemberTag, &'static str> {
    text.parse().map_err(|()| "expected a tag of the members as key=value, such as token-server=license-eu")
}

/// Whether the instance is there, and stays as far as its state says.
fn lives(instance: &Instance) -> bool {
    !matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated)
}

/// The members of the deployment, as EC2 shows them.
pub(crate) enum Chosen {
    /// The instances with a tag.
    Tagged(Box<Tagged>),
    /// The holder, if there is one, and the standbys.
    Listed(Listed),
}

impl Chosen {
    /// The members whose device indexes count.
    pub(crate) fn living(&self) -> Vec<&Instance> {
        match self {
            Self::Tagged(tagged) => tagged.members.iter().filter(|member| lives(member)).collect(),
            Self::Listed(listed) => listed.instances.iter().collect(),
        }
    }

    /// What the operator should know about them.
    pub(crate) fn findings(&self, device_index: u16) -> Vec<Finding> {
        match self {
            Self::Tagged(tagged) => tagged.findings(device_index),
            Self::Listed(listed) => listed.in_group.iter().cloned().collect(),
        }
    }
}

// ---- A tag ----

/// The instances with a tag, and what the function would do with them.
pub(crate) struct Tagged {
    pub(crate) tag: MemberTag,
    config: Config,
    observation: Observation,
    /// The members, most preferred first.
    members: Vec<Instance>,
}

impl Tagged {
    /// Sees these instances as the function does.
    pub(crate) fn new(
        tag: &MemberTag,
        interface: &NetworkInterface,
        instances: Vec<Instance>,
        region: Option<&str>,
    ) -> Result<Self, Trouble> {
        let config = settings(tag, interface, region)?;
        let observation = Observation {
            observed_at: SystemTime::now().into(),
            interface: Reading::Known(Some(interface.clone())),
            instances: Reading::Known(instances),
            reachability: None,
        };
        let ids = members(&config, &observation);
        let members = ids.iter().filter_map(|id| observation.instance(id)).cloned().collect();
        Ok(Self { tag: tag.clone(), config, observation, members })
    }

    pub(crate) fn has_no_members(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in words.
    pub(crate) fn in_words(&self) -> String {
        let (tag, holder) = (&self.tag, self.observation.holder());
        let word = |member: &Instance| {
            let holds = if holder == Some(&member.id) { ", has the interface" } else { "" };
            format!("{} ({}{holds})", member.id, member.state)
        };
        let words: Vec<String> = self.members.iter().map(word).collect();
        match words.as_slice() {
            [] => format!(
                "No instance in the interface's VPC and zone has the tag {tag}. Until one has it, no instance may hold the \
                 interface."
            ),
            [one] => format!("One instance has the tag {tag}: {one}."),
            several => format!("{} instances have the tag {tag}: {}.", several.len(), several.join(", ")),
        }
    }

    /// What the function would report about them with this device index.
    fn findings(&self, device_index: u16) -> Vec<Finding> {
        let config = Config { device_index, ..self.config.clone() };
        let advisor = Advisor::new(&config);
        let away = elsewhere(&config, &self.observation);
        let mut findings: Vec<Finding> =
            Some(away).filter(|away| !away.is_empty()).iter().map(|away| advisor.members_elsewhere(away)).collect();
        // An operator's failover shows whether any member can take the interface.
        let plan = plan(&config, &self.observation, &Intent::Failover { to: None }, Duration::MAX);
        match &plan.decision {
            // `init` has its own words for these two.
            Decision::Act(Action::Refuse(Refusal::NoMembers | Refusal::PrimaryInterface { .. })) => {}
            Decision::Act(Action::Refuse(refusal)) => findings.extend(advisor.refusal(refusal, &plan.standbys)),
            Decision::Act(_) | Decision::LookAgain { .. } => {}
        }
        findings
    }
}

/// The settings of the function that decide who is a member. The topic, which the stack creates later, is invented.
fn settings(tag: &MemberTag, interface: &NetworkInterface, region: Option<&str>) -> Result<Config, Trouble> {
    let topic = format!("arn:aws:sns:{}:000000000000:none", region.unwrap_or("none"));
    let variables = [
        ("TOKEN_SERVER_INTERFACE_ID", interface.id.to_string()),
        ("TOKEN_SERVER_MEMBERS", tag.to_string()),
        ("NOTIFICATION_TOPIC_ARN", topic),
        ("AWS_REGION", region.unwrap_or_default().to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Config::from_variables(variables).map_err(|error| Trouble::new(error.to_string(), ""))
}

// ---- Ids ----

/// The holder, if there is one, and the standbys.
pub(crate) struct Listed {
    pub(crate) ids: Vec<InstanceId>,
    /// Those of them in the VPC and zone of the interface. A standby that was named may be elsewhere. An audit says so.
    instances: Vec<Instance>,
    /// The finding that an Auto Scaling group will replace them.
    in_group: Option<Finding>,
}

/// Finds the holder and the standbys, of which the operator may have named some.
pub(crate) fn listed(
    named: &[InstanceId],
    interface: &NetworkInterface,
    neighbors: &[Neighbor],
) -> Result<Listed, Trouble> {
    let holder = interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.clone());
    let could = |(instance, _): &&Neighbor| Some(&instance.id) != holder.as_ref() && lives(instance);
    let others: Vec<&InstanceId> = neighbors.iter().filter(could).map(|(instance, _)| &instance.id).collect();
    let chosen: Vec<&InstanceId> = if named.is_empty() { others.clone() } else { named.iter().collect() };
    let grouped = Grouped::of(holder.as_ref(), &chosen, neighbors);
    if let Some(grouped) = grouped.as_ref().filter(|_| named.is_empty()) {
        let hint = format!("To write the ids nevertheless, pass --standby. {}", grouped.pass_the_tag());
        return Err(Trouble::new(grouped.problem(), hint));
    }
    let standbys: Vec<InstanceId> = match (named, others.as_slice()) {
        ([], [only]) => vec![(*only).clone()],
        ([], []) => {
            let problem = format!("{} has no other instance that could be the standby", interface.availability_zone);
            return Err(Trouble::new(problem, "Launch one there: an interface cannot leave its Availability Zone."));
        }
        ([], several) => {
            let problem = format!("more than one instance could be the standby: {}", join(several.iter().copied()));
            return Err(Trouble::new(problem, "Pass --standby once for each standby, most preferred first."));
        }
        (named, _) => named.to_vec(),
    };
    let ids: Vec<InstanceId> = holder.into_iter().chain(standbys).collect();
    let neighbor = |id: &InstanceId| neighbors.iter().find(|(instance, _)| instance.id == *id);
    let instances = ids.iter().filter_map(neighbor).map(|(instance, _)| instance.clone()).collect();
    Ok(Listed { ids, instances, in_group: grouped.map(|grouped| grouped.finding()) })
}

fn join<'a>(ids: impl IntoIterator<Item = &'a InstanceId>) -> String {
    ids.into_iter().map(InstanceId::as_str).collect::<Vec<_>>().join(", ")
}

/// Members in an Auto Scaling group.
struct Grouped {
    group: String,
    members: Vec<InstanceId>,
    /// The tag by which the function can know them.
    tag: String,
}

impl Grouped {
    /// The members in the group of the holder or, if the holder is in none, in the group of all standbys.
    fn of(holder: Option<&InstanceId>, standbys: &[&InstanceId], neighbors: &[Neighbor]) -> Option<Self> {
        let neighbor = |id: &InstanceId| neighbors.iter().find(|(instance, _)| instance.id == *id);
        let group_of = |id: &InstanceId| neighbor(id)?.0.auto_scaling_group.clone();
        let of_standbys: BTreeSet<Option<String>> = standbys.iter().map(|id| group_of(id)).collect();
        let shared = of_standbys.into_iter().collect::<Vec<_>>();
        let group = holder.and_then(group_of).or_else(|| match shared.as_slice() {
            [Some(only)] => Some(only.clone()),
            _ => None,
        })?;
        let all = || holder.into_iter().chain(standbys.iter().copied());
        let members: Vec<InstanceId> = all().filter(|id| group_of(id).as_ref() == Some(&group)).cloned().collect();
        let concerned: BTreeSet<&InstanceId> = holder.into_iter().chain(&members).collect();
        let tag = common_tag(&concerned, neighbors).unwrap_or_else(|| format!("aws:autoscaling:groupName={group}"));
        Some(Self { group, members, tag })
    }

    fn problem(&self) -> String {
        let (are, ids) = if self.members.len() == 1 { ("is", "its id") } else { ("are", "their ids") };
        let (members, group) = (join(&self.members), &self.group);
        format!(
            "{members} {are} in the Auto Scaling group {group}, so {ids} will change when the group replaces an instance"
        )
    }

    fn pass_the_tag(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c);
        let quoted = shlex::try_quote(&self.tag).ok().filter(|_| !self.tag.chars().all(is_plain));
        let tag = quoted.as_deref().unwrap_or(&self.tag);
        format!("To name the members by their tag, pass:\n  --members {tag}")
    }

    fn finding(&self) -> Finding {
        let (message, remedy) = (format!("{}.", self.problem()), self.pass_the_tag());
        Finding::new(FindingCode::MembersInAutoScalingGroup, &self.group, message, remedy)
    }
}

/// The only tag that these instances share, if no other instance nearby has it. A name is for people, and AWS sets the tags
/// that begin with `aws:`.
fn common_tag(members: &BTreeSet<&InstanceId>, neighbors: &[Neighbor]) -> Option<String> {
    let is_member = |neighbor: &&Neighbor| members.contains(&neighbor.0.id);
    let (inside, outside): (Vec<&Neighbor>, Vec<&Neighbor>) = neighbors.iter().partition(is_member);
    let (_, first) = inside.first()?;
    let fits = |(key, value): &(&String, &String)| {
        let has = |(_, tags): &&Neighbor| tags.get(*key) == Some(*value);
        let is_ours = *key != "Name" && !key.starts_with("aws:");
        is_ours && is_parameter(key, value) && inside.iter().all(has) && !outside.iter().any(has)
    };
    let mut common = first.iter().filter(fits);
    let (key, value) = common.next()?;
    common.next().is_none().then(|| format!("{key}={value}"))
}

/// Whether the template accepts the tag: it takes fewer characters than EC2, and one equals sign.
fn is_parameter(key: &str, value: &str) -> bool {
    let is_plain = |c: char| c.is_ascii() && c != '=';
    let tag = member_tag(&format!("{key}={value}"));
    let is_same = tag.is_ok_and(|tag| tag.key == key && tag.value == value);
    is_same && !key.contains(' ') && key.chars().chain(value.chars()).all(is_plain)
}
