//! The steps that a run would take, for the report of a plan or a dry run.

use crate::model::config::Activation;
use crate::model::plan::{Move, Start};
use crate::model::report::{Step, StepRecord};

/// The steps of a move that a run would make.
pub(crate) fn planned_steps(planned: &Move, activation: Option<&Activation>) -> Vec<StepRecord> {
    let target = &planned.targets.first;
    let attach = format!("{} to {}", planned.interface_id, target.attach.instance_id);
    let instance = target.attach.instance_id.to_string();
    let mut steps = vec![(Step::NoteDebt, planned.interface_id.to_string()), (Step::CheckPermission, instance.clone())];
    if let Some(from) = &planned.from {
        steps.extend([(Step::Detach, from.id.to_string()), (Step::AwaitDetached, from.id.to_string())]);
    }
    steps.extend([(Step::Attach, attach.clone()), (Step::AwaitAttached, attach)]);
    if target.start {
        steps.extend([(Step::StartInstance, instance.clone()), (Step::AwaitRunning, instance)]);
    }
    if let Some(activation) = activation.filter(|_| !target.start) {
        steps.push((Step::Activate, format!("{} on {}", activation.document, target.attach.instance_id)));
    }
    steps.extend([(Step::Publish, "the report".to_owned()), (Step::SettleDebt, planned.interface_id.to_string())]);
    steps.into_iter().map(|(step, resource)| StepRecord::planned(step, resource)).collect()
}

/// The steps of a start of the holder in place that a run would make.
pub(crate) fn planned_steps_of_start(start: &Start) -> Vec<StepRecord> {
    let (interface, instance) = (start.interface_id.to_string(), start.instance_id.to_string());
    let steps = [
        (Step::NoteDebt, interface.clone()),
        (Step::StartInstance, instance.clone()),
        (Step::AwaitRunning, instance),
        (Step::Publish, "the report".to_owned()),
        (Step::SettleDebt, interface),
    ];
    steps.into_iter().map(|(step, resource)| StepRecord::planned(step, resource)).collect()
}
