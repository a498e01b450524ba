//! The log lines of the built function, under an emulation of Lambda's Runtime API on loopback.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use simulator::{Simulator, names};

#[path = "../../tests/support/served.rs"]
mod served;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../tests/support/standard.rs"]
mod standard;

use crate::standard::{event, variables};
use served::served;

/// Serves one connection to the Runtime API. `GET …/next` returns the next payload, or never returns when none is left.
/// Every `POST` is an answer. Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
fn runtime_api(stream: TcpStream, payloads: &Mutex<VecDeque<Value>>, answers: &mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let request = lines.first()?.clone();
        let length = lines
            .iter()
            .filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        let mut body = vec![0; length.sum()];
        reader.read_exact(&mut body).ok()?;
        if request.starts_with("POST") {
            let accepted = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(accepted.as_bytes()).ok()?;
            answers.send(request).ok()?;
            continue;
        }
        let Some(payload) = payloads.lock().expect("no thread has panicked").pop_front() else {
            thread::park();
            continue;
        };
        let deadline =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time") + Duration::from_secs(60);
        let payload = payload.to_string();
        let next = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             lambda-runtime-aws-request-id: 5e1b6a9e-0000-4000-8000-00000000000a\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:token-failover\r\n\
             lambda-runtime-deadline-ms: {}\r\n\r\n{payload}",
            payload.len(),
            deadline.as_millis()
        );
        stream.write_all(next.as_bytes()).ok()?;
    }
}

/// The output of the built function for these payloads, with standard error.
fn printed(simulator: Simulator, payloads: impl IntoIterator<Item = Value>) -> String {
    let aws = served(simulator);
    let payloads: VecDeque<Value> = payloads.into_iter().collect();
    let count = payloads.len();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let api = listener.local_addr().expect("an address").to_string();
    let (answers, answered) = mpsc::channel();
    let payloads = Arc::new(Mutex::new(payloads));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, payloads, answers) = (stream.expect("a connection"), Arc::clone(&payloads), answers.clone());
            thread::spawn(move || runtime_api(stream, &payloads, &answers));
        }
    });
    let path = format!("{}/log-lines", env!("CARGO_TARGET_TMPDIR"));
    let output = File::create(&path).expect("a file");
    let mut function = Command::new(env!("CARGO_BIN_EXE_token-failover-function"))
        .env_clear()
        .envs(variables(&[]))
        .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not a secret")
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "token-failover")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "token-failover")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/28/1")
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file"))
        .stderr(output)
        .spawn()
        .expect("the function starts");
    for number in 0..count {
        let answer = answered.recv_timeout(Duration::from_secs(60));
        assert!(answer.is_ok(), "answer {number} did not come: {}", fs::read_to_string(&path).unwrap_or_default());
    }
    function.kill().expect("it runs");
    function.wait().expect("it ends");
    fs::read_to_string(&path).expect("what was printed")
}

/// Without a valid `timestamp`, Lambda treats a line as level INFO, whatever its `level`: DEBUG lines would not be
/// filtered, and errors not be found. Source: Lambda Developer Guide, "Log-level filtering".
#[test]
fn every_log_line_has_a_level_a_type_and_a_timestamp() {
    let began = Utc::now();
    let payloads = [
        event("operator-audit"),
        event("operator-plan"),
        event("operator-failover"),
        event("schedule"),
        event("cloudtrail-stop-instances"),
        json!({"action": "failovre"}),
    ];
    let printed = printed(simulator::pair().build(), payloads);
    let ended = Utc::now();

    let mut levels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut before = began - Duration::from_millis(1);
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no {key}: {line}")).to_owned();
        let time = DateTime::parse_from_rfc3339(&text("timestamp")).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(before <= time && time <= ended, "{before} {time} {ended}: {line}");
        before = time.to_utc();
        levels.entry(text("type")).or_default().insert(text("level"));
    }
    let expected = [
        ("begun", "DEBUG"),
        ("failure", "ERROR"),
        ("metrics", "INFO"),
        ("observation", "INFO"),
        ("plan", "INFO"),
        ("readiness", "INFO"),
        ("report", "INFO"),
        ("request", "INFO"),
        ("step", "INFO"),
    ];
    let expected = expected.map(|(kind, level)| (kind.to_owned(), BTreeSet::from([level.to_owned()])));
    assert_eq!(levels, BTreeMap::from(expected));
    assert!(printed.contains(names::INTERFACE));
}
