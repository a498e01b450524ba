//! The operator's place of work: the real command, a simulated AWS over loopback, and a token server.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use simulator::{Scenario, Simulator, names};

use crate::served::served;

/// A simulated AWS on its own port, a token server on its own address, and a working folder.
pub(crate) struct Desk {
    pub(crate) simulator: Simulator,
    pub(crate) endpoint: String,
    pub(crate) folder: PathBuf,
    /// The private address of the interface: a loopback address, so that no packet leaves this machine.
    pub(crate) address: String,
    token_server: Vec<TcpListener>,
}

/// Gives each desk its own address.
static DESKS: AtomicU8 = AtomicU8::new(1);

impl Desk {
    pub(crate) fn new(name: &str, scenario: Scenario) -> Self {
        let address = format!("127.27.{}.50", DESKS.fetch_add(1, Ordering::Relaxed));
        let scenario = scenario.interface(names::INTERFACE, |interface| interface.private_ip(&address));
        let listen = |port: u16| TcpListener::bind((address.as_str(), port)).expect("a loopback address");
        let token_server = [27007, 27008].map(listen).into();
        let simulator = scenario.build();
        let endpoint = format!("http://{}", served(simulator.clone()));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self { simulator, endpoint, folder, address, token_server }
    }

    /// Stops the token server.
    pub(crate) fn stop_token_server(&mut self) {
        self.token_server.clear();
    }

    /// Runs the command without a terminal and with only this environment.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command runs")
    }

    /// The command, as [`run`](Self::run) runs it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-failover"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not a secret")
            .env("AWS_REGION", names::REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    /// The files in the working folder, with their contents.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let entries = fs::read_dir(&self.folder).expect("the folder").map(|entry| entry.expect("an entry"));
        let content = |path| fs::read_to_string(path).expect("text");
        entries.map(|entry| (entry.file_name().into_string().expect("text"), content(entry.path()))).collect()
    }
}

pub(crate) fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}
