//! The built function under an emulation of Lambda's Runtime API on loopback.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::standard::variables;

/// The function as a process. It ends with this value.
pub(crate) struct Lambda {
    process: Child,
    payloads: mpsc::Sender<Value>,
    answers: mpsc::Receiver<String>,
    output: PathBuf,
}

impl Lambda {
    /// Starts the function, with the standard settings and these, and with AWS at this endpoint. It writes its log to `output`.
    pub(crate) fn start(program: &Path, endpoint: &str, settings: &[(&str, &str)], output: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let api = listener.local_addr().expect("an address").to_string();
        let (payloads, waiting) = mpsc::channel();
        let (sender, answers) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, waiting, sender) = (stream.expect("a connection"), Arc::clone(&waiting), sender.clone());
                thread::spawn(move || runtime_api(stream, &waiting, &sender));
            }
        });
        let log = File::create(&output).expect("a file");
        let process = Command::new(program)
            .env_clear()
            .envs(variables(settings))
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not a secret")
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "token-failover")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "token-failover")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/28/1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; build the whole workspace", program.display()));
        Self { process, payloads, answers, output }
    }

    /// Hands the function one more payload, which it takes after those before.
    pub(crate) fn invoke(&self, payload: Value) {
        self.payloads.send(payload).expect("the Runtime API lives");
    }

    /// A sender of payloads, for another thread.
    pub(crate) fn queue(&self) -> mpsc::Sender<Value> {
        self.payloads.clone()
    }

    /// Waits for the next answer. Returns the first line of its request to the Runtime API.
    pub(crate) fn answer(&self) -> String {
        let answer = self.answers.recv_timeout(Duration::from_secs(60));
        answer.unwrap_or_else(|_| panic!("no answer came: {}", self.printed()))
    }

    /// What the function has printed, with standard error.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.output).expect("the file of the log")
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves one connection to the Runtime API. `GET …/next` waits for the next payload. Every `POST` is an answer. Source:
/// Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
fn runtime_api(
    stream: TcpStream,
    payloads: &Mutex<mpsc::Receiver<Value>>,
    answers: &mpsc::Sender<String>,
) -> Option<()> {
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
            // A test may not wait for the answer.
            let _ = answers.send(request);
            continue;
        }
        let payload = payloads.lock().expect("no thread has panicked").recv().ok()?.to_string();
        let deadline =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time") + Duration::from_secs(60);
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
