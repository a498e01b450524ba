//! What an invocation asks for: JSON → [`Request`] → [`Relevance`].
//!
//! An event is a reason to look, never an order. So the function keeps little of it: the instance that it names, and
//! the claim that the instance fails. EventBridge may deliver an event twice, late or out of order. Nothing here
//! depends on the delivery.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::config::{Config, MemberTag, Members};
use crate::model::ids::InstanceId;
use crate::model::pause::{End, not_an_end};
use crate::model::request::{IgnoredReason, Intent, Parsed, Request, RequestError, Trigger, TriggerKind};

/// Whether a request concerns this token server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relevance<'a> {
    /// Look at EC2. These instances that the request names are members.
    Ours(Vec<InstanceId>),
    /// The event names only instances that are not members.
    NotAMember,
    /// EC2 has to tell which of these instances have the tag of the members.
    AskFor(&'a MemberTag, Vec<InstanceId>),
}

/// Decides whether the request concerns the configured token server. If the members are listed, that needs no call.
pub fn relevance<'a>(config: &'a Config, request: &Request) -> Relevance<'a> {
    let named = request.intent.instances();
    match &config.members {
        _ if named.is_empty() => Relevance::Ours(Vec::new()),
        Members::Tagged(tag) => Relevance::AskFor(tag, named.to_vec()),
        Members::Listed(ids) => {
            let ours: Vec<InstanceId> = named.iter().filter(|instance| ids.contains(instance)).cloned().collect();
            if ours.is_empty() { Relevance::NotAMember } else { Relevance::Ours(ours) }
        }
    }
}

/// Reads the payload of an invocation.
///
/// # Errors
///
/// A document with an `action` is an operator's request. If it is malformed, the error says what is wrong. Any other
/// document that the function cannot use gives [`Parsed::Ignored`].
pub fn parse(payload: &Value) -> Result<Parsed, RequestError> {
    let Some(document) = payload.as_object() else {
        return Ok(ignored(TriggerKind::Unknown, IgnoredReason::UnknownDocument, "the payload is not a JSON object"));
    };
    if let Some(action) = document.get("action") {
        return parse_operator_request(action, document).map(Parsed::Request);
    }
    if let Some(alarm) = alarm_that_calls(document) {
        return Ok(alarm);
    }
    if !document.contains_key("source") || !document.contains_key("detail-type") {
        let detail = "the payload has neither an action nor the source and detail-type of an EventBridge document";
        return Ok(ignored(TriggerKind::Unknown, IgnoredReason::UnknownDocument, detail));
    }
    Ok(parse_event(payload))
}

fn ignored(kind: TriggerKind, reason: IgnoredReason, detail: impl Into<String>) -> Parsed {
    Parsed::Ignored { trigger: Trigger::of(kind), reason, detail: detail.into() }
}

fn parse_operator_request(action: &Value, document: &Map<String, Value>) -> Result<Request, RequestError> {
    let problem = |problem: String| RequestError { problem };
    let dry_run = dry_run(document)?;
    let reason = match document.get("reason") {
        None | Some(Value::Null) => None,
        Some(Value::String(reason)) => Some(shortened(reason, 256)),
        Some(other) => return Err(problem(format!("reason is {}, not a string", shortened(&other.to_string(), 64)))),
    };
    // If the case of the key mattered, the function would overlook `Until` and pause for the default time.
    let until = match document.iter().find(|(key, _)| key.eq_ignore_ascii_case("until")).map(|(_, until)| until) {
        None | Some(Value::Null) => None,
        Some(Value::String(until)) => Some(shortened(until, 64).parse::<End>().map_err(problem)?),
        Some(other) => {
            return Err(problem(not_an_end(&format!("{} is not a string", shortened(&other.to_string(), 64)))));
        }
    };
    // If the case of the key mattered, the function would overlook `To` and move the interface to another member.
    let to = match document.iter().find(|(key, _)| key.eq_ignore_ascii_case("to")).map(|(_, to)| to) {
        None | Some(Value::Null) => None,
        Some(Value::String(to)) => Some(instance(to).map_err(|flaw| problem(format!("to: {flaw}")))?),
        Some(other) => return Err(problem(format!("to is {}, not an instance id", shortened(&other.to_string(), 64)))),
    };
    let (kind, intent, dry_run) = match action.as_str() {
        Some("reconcile") => (TriggerKind::Reconcile, Intent::Reconcile, dry_run),
        Some("audit") => (TriggerKind::Audit, Intent::Audit, dry_run),
        Some("plan") => (TriggerKind::Plan, Intent::Reconcile, true),
        Some("failover") => (TriggerKind::Failover, Intent::Failover { to }, dry_run),
        Some("pause" | "resume") if dry_run => return Err(problem("pause and resume do not accept dryRun".to_owned())),
        Some("pause") => (TriggerKind::Pause, Intent::Pause { until }, false),
        Some("resume") => (TriggerKind::Resume, Intent::Resume, false),
        _ => return Err(problem(format!("the action {} is unknown", shortened(&action.to_string(), 64)))),
    };
    Ok(Request { trigger: Trigger { reason, ..Trigger::of(kind) }, intent, dry_run })
}

/// Reads `dryRun` in any spelling. A request that must change nothing is not carried out because it says `dry_run` or
/// `dryrun`.
fn dry_run(document: &Map<String, Value>) -> Result<bool, RequestError> {
    let mut dry_run = false;
    for (key, value) in document {
        if key.replace(['-', '_', ' '], "").eq_ignore_ascii_case("dryrun") {
            match value {
                Value::Bool(value) => dry_run |= value,
                Value::Null => {}
                other => {
                    let problem =
                        format!("{} is {}, not true or false", shortened(key, 32), shortened(&other.to_string(), 64));
                    return Err(RequestError { problem });
                }
            }
        }
    }
    Ok(dry_run)
}

fn parse_event(payload: &Value) -> Parsed {
    let event: EventBridgeEvent<Value> = match serde_json::from_value(payload.clone()) {
        Ok(event) => event,
        Err(error) => {
            let detail = shortened(&format!("not a complete EventBridge document: {error}"), 256);
            return ignored(TriggerKind::Unknown, IgnoredReason::MalformedEvent, detail);
        }
    };
    let kind = match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.ec2", "EC2 Instance State-change Notification") => TriggerKind::InstanceStateChange,
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => TriggerKind::SpotInterruption,
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => TriggerKind::RebalanceRecommendation,
        ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action") => TriggerKind::LifecycleAction,
        ("aws.cloudwatch", "CloudWatch Alarm State Change") => TriggerKind::Alarm,
        ("aws.health", "AWS Health Event") => TriggerKind::Health,
        ("aws.events", "Scheduled Event") => TriggerKind::Schedule,
        (source, detail_type) => {
            let detail =
                shortened(&format!("{detail_type:?} from {source:?} is not an event this function knows"), 256);
            return ignored(TriggerKind::Unknown, IgnoredReason::UnknownEvent, detail);
        }
    };
    let trigger =
        Trigger { id: event.id.as_deref().map(|id| shortened(id, 128)), time: event.time, ..Trigger::of(kind) };
    // An archive tags the events that it replays. Such an event describes an instance's past.
    // Source: EventBridge User Guide, "Replaying archived events".
    if payload.get("replay-name").is_some() {
        let detail = "the event was replayed from an archive".to_owned();
        return Parsed::Ignored { trigger, reason: IgnoredReason::ReplayedEvent, detail };
    }
    match kind {
        TriggerKind::InstanceStateChange => parse_state_change(trigger, &event.detail),
        TriggerKind::SpotInterruption => parse_spot_interruption(trigger, &event.detail),
        TriggerKind::RebalanceRecommendation => parse_rebalance(trigger, &event.detail),
        TriggerKind::LifecycleAction => parse_lifecycle_action(trigger, &event.detail),
        TriggerKind::Alarm => parse_alarm(trigger, &event.detail),
        TriggerKind::Health => parse_health(trigger, &event.detail, event.resources.as_deref().unwrap_or_default()),
        _ => Parsed::Request(Request { trigger, intent: Intent::Reconcile, dry_run: false }),
    }
}

/// Instance states in which a token server on the instance does not serve, or is about to stop.
const FAILING_STATES: [&str; 4] = ["stopping", "stopped", "shutting-down", "terminated"];

fn parse_state_change(mut trigger: Trigger, detail: &Value) -> Parsed {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Detail {
        instance_id: String,
        state: String,
    }
    let detail = match Detail::deserialize(detail) {
        Ok(detail) => detail,
        Err(error) => return malformed(trigger, format!("the detail of the state change is malformed: {error}")),
    };
    trigger.instance_id = Some(shortened(&detail.instance_id, 64));
    trigger.state = Some(shortened(&detail.state, 64));
    match instance(&detail.instance_id) {
        Ok(instance) => {
            let reported_failing = FAILING_STATES.contains(&detail.state.trim());
            let intent = Intent::Look { instances: vec![instance], reported_failing };
            Parsed::Request(Request { trigger, intent, dry_run: false })
        }
        Err(problem) => malformed(trigger, problem),
    }
}

/// How long after its time a Spot interruption warning is believed. EC2 gives two minutes of notice. One more minute
/// covers the delivery and a difference of clocks.
const SPOT_NOTICE: TimeDelta = TimeDelta::minutes(3);

fn parse_spot_interruption(mut trigger: Trigger, detail: &Value) -> Parsed {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Detail {
        instance_id: String,
        instance_action: Option<String>,
    }
    let detail = match Detail::deserialize(detail) {
        Ok(detail) => detail,
        Err(error) => return malformed(trigger, format!("the detail of the Spot interruption is malformed: {error}")),
    };
    trigger.instance_id = Some(shortened(&detail.instance_id, 64));
    trigger.state = detail.instance_action.as_deref().map(|action| shortened(action, 64));
    let until = trigger.time.and_then(|time| time.checked_add_signed(SPOT_NOTICE));
    match (instance(&detail.instance_id), until) {
        (Ok(instance), Some(until)) => {
            let intent = Intent::Evacuate { instance, until };
            Parsed::Request(Request { trigger, intent, dry_run: false })
        }
        (Ok(_), None) => malformed(trigger, "the Spot interruption warning has no valid time".to_owned()),
        (Err(problem), _) => malformed(trigger, problem),
    }
}

/// How long after its time a rebalance recommendation is acted on. EC2 sends it when the risk of an interruption is higher, and
/// does not say for how long. A delivery that was retried for longer describes the past.
const REBALANCE_NOTICE: TimeDelta = TimeDelta::minutes(15);

/// Source: EC2 User Guide, "EC2 instance rebalance recommendations".
fn parse_rebalance(mut trigger: Trigger, detail: &Value) -> Parsed {
    let Some(named) = detail.get("instance-id").and_then(Value::as_str) else {
        return malformed(trigger, "the rebalance recommendation names no instance".to_owned());
    };
    trigger.instance_id = Some(shortened(named, 64));
    let until = trigger.time.and_then(|time| time.checked_add_signed(REBALANCE_NOTICE));
    match (instance(named), until) {
        (Ok(instance), Some(until)) => {
            Parsed::Request(Request { trigger, intent: Intent::Rebalance { instance, until }, dry_run: false })
        }
        (Ok(_), None) => malformed(trigger, "the rebalance recommendation has no valid time".to_owned()),
        (Err(problem), _) => malformed(trigger, problem),
    }
}

/// Reads the instance alone. The function finds the group and the hook in Auto Scaling's answers, and names the instance
/// instead of the token, which may be out of date.
/// Source: EC2 Auto Scaling User Guide, "Create EventBridge rules for lifecycle hooks".
fn parse_lifecycle_action(mut trigger: Trigger, detail: &Value) -> Parsed {
    let text = |key: &str| detail.get(key).and_then(Value::as_str);
    trigger.state = text("LifecycleTransition").map(|transition| shortened(transition, 64));
    let Some(named) = text("EC2InstanceId") else {
        return malformed(trigger, "the lifecycle action names no instance".to_owned());
    };
    trigger.instance_id = Some(shortened(named, 64));
    match instance(named) {
        Ok(instance) => Parsed::Request(Request { trigger, intent: Intent::Release { instance }, dry_run: false }),
        Err(problem) => malformed(trigger, problem),
    }
}

/// Reads the document of an alarm that has the function as its action. The alarm is the same, in another envelope.
/// Source: CloudWatch User Guide, "Invoke a Lambda function from an alarm".
fn alarm_that_calls(document: &Map<String, Value>) -> Option<Parsed> {
    let is_direct = !document.contains_key("detail-type") && document.get("source")? == "aws.cloudwatch";
    let alarm = document.get("alarmData").filter(|alarm| is_direct && alarm.is_object())?;
    let time = document.get("time").and_then(moment);
    Some(parse_alarm(Trigger { time, ..Trigger::of(TriggerKind::Alarm) }, alarm))
}

/// Reads an alarm's detail by hand. Only the dimensions of the alarm's metrics name the instance, and the alarm types
/// of `aws_lambda_events` parse this document "successfully" and drop the metrics.
///
/// A composite alarm, metric math or a query names no instance. An operator who routes such an alarm to the function
/// wants it to read EC2.
fn parse_alarm(mut trigger: Trigger, detail: &Value) -> Parsed {
    let state = detail.pointer("/state/value").and_then(Value::as_str);
    trigger.state = state.map(|state| shortened(state, 64));
    let metrics = detail.pointer("/configuration/metrics").and_then(Value::as_array);
    let metrics: Vec<&Value> =
        metrics.into_iter().flatten().filter_map(|metric| metric.pointer("/metricStat/metric")).collect();
    let named = metrics.iter().filter_map(|metric| metric.pointer("/dimensions/InstanceId").and_then(Value::as_str));
    let named = Named::among(named);
    trigger.instance_id.clone_from(&named.first);
    let instances = match named.into_instances() {
        Ok(instances) => instances,
        Err(problem) => return malformed(trigger, problem),
    };
    if state != Some("ALARM") {
        let detail = format!("the alarm's state is {}, not ALARM", shortened(state.unwrap_or("missing"), 64));
        return Parsed::Ignored { trigger, reason: IgnoredReason::NothingToDo, detail };
    }
    // Only the status checks are EC2's own report about the instance. Load, traffic and credits are not failures.
    let fails = |metric: &&Value| {
        let text = |key: &str| metric.get(key).and_then(Value::as_str);
        text("namespace") == Some("AWS/EC2") && text("name").is_some_and(|name| name.starts_with("StatusCheckFailed"))
    };
    let reported_failing = !instances.is_empty() && metrics.iter().any(fails);
    let intent = Intent::Look { instances, reported_failing };
    Parsed::Request(Request { trigger, intent, dry_run: false })
}

/// Reads a Health event by hand: the type in `aws_lambda_events` requires fields that AWS's own sample does not have.
///
/// Source: AWS Health User Guide, "AWS Health events Amazon EventBridge schema". Fields that are optional there, or
/// newer than older samples, may be missing here. AWS Health sends the same event from the backup Region as well, and
/// in pages. Neither matters, because the interface remembers what was announced for an instance.
fn parse_health(mut trigger: Trigger, detail: &Value, resources: &[String]) -> Parsed {
    let text = |key: &str| detail.get(key).and_then(Value::as_str);
    let code = text("eventTypeCode").unwrap_or_default();
    trigger.state = Some(shortened(code, 96));
    let nothing = |trigger, detail: &str| {
        let (reason, detail) = (IgnoredReason::NothingToDo, detail.to_owned());
        Parsed::Ignored { trigger, reason, detail }
    };
    let is_scheduled = match text("eventTypeCategory") {
        Some(category) => category == "scheduledChange",
        None => code.ends_with("_SCHEDULED") || code.ends_with("_EXPEDITED"),
    };
    if !code.starts_with("AWS_EC2_") || !is_scheduled {
        return nothing(trigger, "the Health event announces no change to an instance");
    }
    if text("statusCode").is_some_and(|status| status.eq_ignore_ascii_case("closed")) {
        return nothing(trigger, "the Health event is closed");
    }
    let entities = detail.get("affectedEntities").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_resolved = |entity: &Value| {
        let status = entity.get("status").and_then(Value::as_str);
        status.is_some_and(|status| status.eq_ignore_ascii_case("resolved"))
    };
    if !entities.is_empty() && entities.iter().all(is_resolved) {
        return nothing(trigger, "the Health event is resolved for every instance that it names");
    }
    trigger.starts_at = detail.get("startTime").and_then(moment);
    let values = entities.iter().filter(|entity| !is_resolved(entity));
    let values = values.filter_map(|entity| entity.get("entityValue").and_then(Value::as_str));
    // An entity is the instance's ARN, its plain id, or `UNKNOWN`.
    let id = |value: &str| {
        let id = value.rsplit('/').next()?.trim();
        (!id.eq_ignore_ascii_case("unknown")).then(|| id.to_owned())
    };
    let values: Vec<String> = values.filter_map(id).collect();
    let listed: Vec<String> = resources.iter().filter_map(|value| id(value)).collect();
    let named = Named::among(if entities.is_empty() { &listed } else { &values }.iter().map(String::as_str));
    trigger.instance_id.clone_from(&named.first);
    match named.into_instances() {
        Ok(instances) if !instances.is_empty() => {
            let intent = Intent::Look { instances, reported_failing: false };
            Parsed::Request(Request { trigger, intent, dry_run: false })
        }
        Ok(_) => malformed(trigger, "the Health event names no instance".to_owned()),
        Err(problem) => malformed(trigger, problem),
    }
}

/// The instances that an event names. A name that is not an instance id is ignored if another name is one.
struct Named {
    instances: Vec<InstanceId>,
    /// The first name that is an instance id, or else the first name, as the event has it.
    first: Option<String>,
    flaw: Option<String>,
}

impl Named {
    fn among<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut named = Self { instances: Vec::new(), first: None, flaw: None };
        for name in names {
            match instance(name) {
                Ok(id) => {
                    if named.instances.is_empty() {
                        named.first = Some(shortened(name, 64));
                    }
                    if !named.instances.contains(&id) {
                        named.instances.push(id);
                    }
                }
                Err(flaw) => {
                    named.first.get_or_insert_with(|| shortened(name, 64));
                    named.flaw.get_or_insert(flaw);
                }
            }
        }
        named
    }

    /// The instances; empty if the event names nothing.
    ///
    /// # Errors
    ///
    /// The event names something, and nothing that it names is an instance id.
    fn into_instances(self) -> Result<Vec<InstanceId>, String> {
        match self.flaw {
            Some(flaw) if self.instances.is_empty() => Err(flaw),
            _ => Ok(self.instances),
        }
    }
}

/// A time in any of the formats that AWS writes in such documents: RFC 2822 (Health), RFC 3339 with or without a colon
/// in the offset (alarms), with a space and `UTC`, or in seconds or milliseconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = value.as_i64() {
        // Read as seconds, the limit is the year 5138. Read as milliseconds, it is 1973.
        let is_seconds = number.unsigned_abs() < 100_000_000_000;
        return if is_seconds { DateTime::from_timestamp(number, 0) } else { DateTime::from_timestamp_millis(number) };
    }
    let text = value.as_str()?.trim();
    let with_offset = DateTime::parse_from_rfc2822(text)
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    let in_utc = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f UTC").ok().map(|time| time.and_utc());
    with_offset.ok().map(|time| time.to_utc()).or_else(in_utc)
}

/// Parses an instance id of an event. AWS's own samples have one with a space before it.
fn instance(text: &str) -> Result<InstanceId, String> {
    text.trim().parse().map_err(|_| format!("{:?} is not an instance id", shortened(text, 64)))
}

fn malformed(trigger: Trigger, detail: String) -> Parsed {
    Parsed::Ignored { trigger, reason: IgnoredReason::MalformedEvent, detail: shortened(&detail, 256) }
}

/// The string's first `maximum` characters. Input from outside goes into logs and mails and must not flood them.
fn shortened(text: &str, maximum: usize) -> String {
    match text.char_indices().nth(maximum) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
