//! The simulator as a server on loopback, for a function in another process or for other SDKs.

use std::{env, process::ExitCode, time::SystemTime};

use simulator::{Like, Scenario, names};
use tokio::net::TcpListener;

const USAGE: &str = "\
usage: simulator [--listen 127.0.0.1:PORT] [--scenario NAME] [--private-ip ADDRESS] [--like FILE]

Answers EC2, SNS, Systems Manager, Auto Scaling and CloudFormation on one address. Port 0, the default, takes any free port; the line
\"listening on http://127.0.0.1:PORT\" on standard output says which, once requests are answered.
The private address of the license interface is 10.0.1.50 or, for a program that connects to it, one of this machine's own.
With --like, EC2 behaves as in the account that this record is from (token-failover exercise --record).
";

struct Arguments {
    listen: String,
    scenario: Scenario,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if env::args().skip(1).any(|argument| argument == "--help") {
        println!("{USAGE}\nscenarios: {}", Scenario::NAMES.join(", "));
        return ExitCode::SUCCESS;
    }
    let arguments = match arguments(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(reason) => {
            eprintln!("error: {reason}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut listen = "127.0.0.1:0".to_owned();
    let mut name = "pair".to_owned();
    let mut private_ip = None;
    let mut account = Like::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--listen" => listen = value()?,
            "--scenario" => name = value()?,
            "--like" => account = Like::read(&value()?)?,
            "--private-ip" => {
                let address = value()?;
                let parsed: Result<std::net::Ipv4Addr, _> = address.parse();
                private_ip = Some(parsed.map_err(|_| format!("{address} is not an IPv4 address"))?.to_string());
            }
            _ => return Err(format!("unknown option {word}")),
        }
    }
    let scenario = Scenario::named(&name)
        .ok_or_else(|| format!("unknown scenario {name}; the scenarios are {}", Scenario::NAMES.join(", ")))?;
    let scenario = match private_ip {
        Some(address) => scenario.interface(names::INTERFACE, |interface| interface.private_ip(&address)),
        None => scenario,
    };
    for note in &account.notes {
        eprintln!("note: {note}");
    }
    Ok(Arguments { listen, scenario: scenario.like(&account) })
}

async fn serve(Arguments { listen, scenario }: Arguments) -> std::io::Result<()> {
    let listener = TcpListener::bind(&listen).await?;
    let simulator = scenario.epoch(SystemTime::now().into()).build();
    println!("listening on http://{}", listener.local_addr()?);
    simulator.serve(listener).await
}
