//! An exercise in a simulated AWS, and the deployed function beside it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use chrono::Utc;
use serde_json::Value;
use simulator::world::Timings;
use simulator::{Scenario, names};

use crate::desk::Desk;
use crate::lambda::Lambda;

/// The same order as with real times, in a fraction of the time.
pub(crate) fn quick() -> Timings {
    let milliseconds = Duration::from_millis;
    Timings {
        call: milliseconds(5),
        detach: milliseconds(400),
        attach: milliseconds(300),
        boot: milliseconds(400),
        stop: milliseconds(600),
        ..Timings::default()
    }
}

pub(crate) fn pair() -> Scenario {
    simulator::pair().epoch(Utc::now()).timings(quick()).stack(names::STACK, |stack| {
        stack.parameter("TokenServerPorts", "27007-27008").parameter("TokenServerClients", "10.0.0.0/16")
    })
}

/// The deployed function, which gets what the services send to EventBridge.
pub(crate) struct Deployed {
    pub(crate) lambda: Lambda,
    is_over: Arc<AtomicBool>,
    bus: Option<thread::JoinHandle<()>>,
}

impl Deployed {
    pub(crate) fn start(desk: &Desk) -> Self {
        Self::start_with(desk, |event| vec![event])
    }

    /// The same, with what EventBridge delivers in place of an event.
    pub(crate) fn start_with(desk: &Desk, delivers: impl Fn(Value) -> Vec<Value> + Send + 'static) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_token-failover")).with_file_name("token-failover-function");
        let settings = [("TOKEN_SERVER_NAME", "-"), ("TOKEN_SERVER_HOSTID", "-"), ("TOKEN_SERVER_ALLOCATION_ID", "-")];
        let lambda = Lambda::start(&program, &desk.endpoint, &settings, desk.folder.join("function.log"));
        let is_over = Arc::new(AtomicBool::new(false));
        let (queue, simulator, ends) = (lambda.queue(), desk.simulator.clone(), Arc::clone(&is_over));
        let bus = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                for event in simulator.take_events() {
                    for document in delivers(event.document()) {
                        queue.send(document).expect("the function lives");
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { lambda, is_over, bus: Some(bus) }
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if self.bus.take().is_some_and(|bus| bus.join().is_err()) && !thread::panicking() {
            panic!("EventBridge failed: {}", self.lambda.printed());
        }
    }
}

/// An exercise that runs, and its lines on standard error.
pub(crate) struct Running {
    process: Child,
    /// The lines that the command has not been asked for, each as soon as it comes.
    pub(crate) lines: mpsc::Receiver<String>,
    told: Vec<String>,
}

impl Running {
    pub(crate) fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let mut command = desk.command(&[&["exercise", "--yes"], arguments].concat());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command runs");
        let output = BufReader::new(process.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines, told: Vec::new() }
    }

    /// Waits until the command has told this.
    pub(crate) fn await_line(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|error| panic!("{text}: {error}: {:?}", self.told));
            self.told.push(line);
            if self.told.last().is_some_and(|line| line.contains(text)) {
                return;
            }
        }
    }

    /// Ends the command as Ctrl-C does, and returns its exit status and all that it told.
    pub(crate) fn interrupt(self) -> (Option<i32>, String) {
        self.signal("-INT")
    }

    /// Asks the command to end, and returns its exit status and all that it told.
    pub(crate) fn signal(self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        self.ended()
    }

    /// Waits for the end of the command, and returns its exit status and all that it told.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let ended = self.process.wait().expect("it ends");
        self.told.extend(self.lines.iter());
        (ended.code(), self.told.join("\n"))
    }

    /// Ends the command at once.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}
