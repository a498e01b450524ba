//! The events that AWS services send to EventBridge.

use super::state::World;
use crate::model::{Event, EventKind, InstanceState};

impl World {
    /// All events so far, oldest first, unless they were [taken](Self::take_events).
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn send_event(&mut self, kind: EventKind) {
        let (id, home) = (self.event_ids.uuid(), self.region.home.clone());
        self.events.push(Event { id, at: self.now, kind, home });
    }

    /// An instance has entered a state.
    pub(crate) fn send_instance_state(&mut self, instance_id: &str, state: InstanceState) {
        self.send_event(EventKind::InstanceState { instance_id: instance_id.to_owned(), state });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::{names, pair, world::Timings};

    #[test]
    fn every_state_of_an_instance_has_an_event() {
        let seconds = Duration::from_secs;
        let timings = Timings { boot: seconds(8), stop: seconds(6), shutdown: seconds(4), ..Timings::default() };
        let mut world = pair().timings(timings).world();
        world.stop(names::HOLDER).unwrap();
        world.advance(seconds(10));
        world.start(names::HOLDER).unwrap();
        world.advance(seconds(20));
        world.terminate(names::HOLDER).unwrap();
        world.advance(seconds(30));
        let seen: Vec<_> = world.take_events().iter().map(|event| (event.at.as_secs(), event.document())).collect();
        let states: Vec<_> = seen.iter().map(|(at, document)| (*at, document["detail"]["state"].clone())).collect();
        let expected = [
            (0, "stopping"),
            (6, "stopped"),
            (10, "pending"),
            (18, "running"),
            (20, "shutting-down"),
            (24, "terminated"),
        ];
        assert_eq!(states, expected.map(|(at, state)| (at, json!(state))));
        assert_eq!(
            seen[1].1,
            json!({
                "version": "0",
                "id": seen[1].1["id"],
                "detail-type": "EC2 Instance State-change Notification",
                "source": "aws.ec2",
                "account": "123456789012",
                "time": "2026-01-01T00:00:06Z",
                "region": "eu-west-1",
                "resources": ["arn:aws:ec2:eu-west-1:123456789012:instance/i-0aaaaaaaaaaaaaaa1"],
                "detail": {"instance-id": names::HOLDER, "state": "stopped"},
            })
        );
        assert!(world.events().is_empty(), "each event is taken once");
    }
}
