//! Calls to a world: time passes first, then the world answers.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::{
    operations::{Answer, Operation, Request},
    state::World,
};
use crate::model::{ApiError, Refusal, Region};

impl World {
    /// Lets time pass until `now`, then answers the request.
    ///
    /// `now` is the time since the start of the simulation. A time before that of the previous call counts as the same
    /// time.
    pub fn call<O: Operation>(&mut self, now: Duration, operation: O) -> Result<O::Answer, ApiError> {
        let answer = self.answer(now, &operation.into())?;
        Ok(O::unwrap(answer).expect("a request is answered under its own name"))
    }

    /// The same for any request.
    pub fn answer(&mut self, now: Duration, request: &Request) -> Result<Answer, ApiError> {
        self.advance(now);
        request.perform(self)
    }

    /// The answer that EC2 would have given at an earlier time. Changes are answered normally.
    pub(crate) fn answer_from_the_past(
        &mut self,
        now: Duration,
        age: Duration,
        request: &Request,
    ) -> Result<Answer, ApiError> {
        self.advance(now);
        match request.read(self.region_before(age)) {
            Some(answer) => answer,
            None => request.perform(self),
        }
    }

    /// The answer of EC2 while it finds no instance and no interface. Changes are answered normally.
    pub(crate) fn answer_of_a_bare_region(&mut self, now: Duration, request: &Request) -> Result<Answer, ApiError> {
        self.advance(now);
        let bare = Region { instances: BTreeMap::new(), interfaces: BTreeMap::new(), ..self.region.clone() };
        match request.read(&bare) {
            Some(answer) => answer,
            None => request.perform(self),
        }
    }

    /// Lets time pass until `now`, then connects to a TCP port, see [`answers`](Self::answers).
    pub fn connect(&mut self, now: Duration, address: SocketAddr) -> Result<(), Refusal> {
        self.advance(now);
        self.answers(address)
    }
}
