//! The drill: whole failovers without an AWS account.
//!
//! The simulator has a token server and its standby. The drill invokes the function with a document of the folder
//! `events`, prints the timeline as it happens, and then the report and the mail. It does not need the AWS SDK: the
//! function makes typed calls to the simulator, and the tests in `aws/` show that the SDK's clients make the same
//! calls.
//!
//! ```text
//! cargo run --example drill                       a failover, in real time
//! cargo run --example drill -- NAME               another scenario
//! cargo run --example drill -- --list             the scenarios
//! cargo run --example drill -- --all              all of them, on a paused clock, one line each
//! cargo run --example drill -- NAME --json        the report as JSON
//! cargo run --example drill -- --like FILE        as in the account that this record is from; with any of these
//! ```
//!
//! The exit status is 0 if everything ended as expected, 1 if not, and 2 for an invalid command line.

mod play;
mod scenarios;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/support/standard.rs"]
mod standard;
#[path = "../../tests/support/mod.rs"]
mod support;
mod timeline;

use std::process::ExitCode;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use serde_json::json;
use simulator::{Like, names};
use token_failover::model::check::CheckResult;
use token_failover::model::finding::Severity;
use token_failover::model::report::{Expectation, Outcome, Report};

use play::{Mail, Played, came, introduction, play};
use scenarios::{SCENARIOS, Scenario};
use timeline::{Entry, Who, role};

const USAGE: &str = "Usage: cargo run --example drill [-- [NAME] [--json] | --list | --all] [--like FILE]";

const HELP: &str = "\
Plays a whole failover with no AWS account: the real function against a simulated EC2, in real time.

NAME         play this scenario instead of the first
--json       print the report as JSON, without waiting
--list       list the scenarios
--all        play all scenarios without waiting, one line each; fails if one does not end as expected
--like FILE  EC2 behaves as in the account that this record is from (token-failover exercise --record)";

/// The maximum length of a line.
const WIDTH: usize = 100;

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// The request on the command line.
enum Request {
    Help,
    List,
    All,
    Play(&'static Scenario),
    Report(&'static Scenario),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = account(arguments).and_then(|(account, left)| Ok((account, request(&left)?)));
    let (account, request) = match asked {
        Err(problem) => {
            eprintln!("{BAD}error{BAD:#}: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
        Ok(asked) => asked,
    };
    for note in &account.notes {
        eprintln!("{DOUBTFUL}note{DOUBTFUL:#}: {note}");
    }
    let all_well = match request {
        Request::Help => {
            println!("{USAGE}\n\n{HELP}");
            true
        }
        Request::List => {
            list();
            true
        }
        Request::All => all(&account),
        Request::Play(scenario) => show(scenario, &account),
        Request::Report(scenario) => print_json(scenario, &account),
    };
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The record of an account, if one is named, and the other arguments.
fn account(mut arguments: Vec<String>) -> Result<(Like, Vec<String>), String> {
    let Some(position) = arguments.iter().position(|argument| argument == "--like") else {
        return Ok((Like::default(), arguments));
    };
    let mut named = arguments.drain(position..arguments.len().min(position + 2));
    let file = named.nth(1).ok_or("--like needs a file")?;
    drop(named);
    Ok((Like::read(&file)?, arguments))
}

fn request(arguments: &[String]) -> Result<Request, String> {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|text| text.starts_with('-'));
    let scenario = match names.as_slice() {
        [] => &SCENARIOS[0],
        [name] => {
            scenarios::named(name).ok_or_else(|| format!("unknown scenario {name:?}; --list lists the scenarios"))?
        }
        [_, second, ..] => return Err(format!("only one scenario at a time: {second:?} is the second")),
    };
    match (flags.as_slice(), names.is_empty()) {
        ([], _) => Ok(Request::Play(scenario)),
        (["--json"], _) => Ok(Request::Report(scenario)),
        (["--list"], true) => Ok(Request::List),
        (["--all"], true) => Ok(Request::All),
        (["--help" | "-h"], _) => Ok(Request::Help),
        ([flag @ ("--list" | "--all")], false) => Err(format!("{flag} takes no scenario")),
        ([flag], _) => Err(format!("unknown option {flag}")),
        _ => Err(format!("{} cannot be combined", flags.join(" and "))),
    }
}

fn list() {
    let name = |scenario: &Scenario| scenario.name.len();
    let width = SCENARIOS.iter().map(name).max().unwrap_or_default();
    for scenario in SCENARIOS {
        println!("{BOLD}{:<width$}{BOLD:#}  {}", scenario.name, scenario.title);
    }
}

/// Plays all scenarios, one line each.
fn all(account: &Like) -> bool {
    let mut unexpected = 0;
    for scenario in SCENARIOS {
        let played = on_clock(scenario, account, true, |_| ());
        let answers: Vec<String> = played.answers.iter().map(|(_, answer)| came(answer)).collect();
        let (style, word) = if played.problems.is_empty() { (GOOD, "ok") } else { (BAD, "FAILED") };
        println!("{style}{word:<6}{style:#}  {:<28}  {}", scenario.name, answers.join(", "));
        print_problems(&played);
        unexpected += usize::from(!played.problems.is_empty());
    }
    match unexpected {
        0 => println!("All {} scenarios ended as expected.", SCENARIOS.len()),
        _ => println!("{unexpected} of {} scenarios did not end as expected.", SCENARIOS.len()),
    }
    unexpected == 0
}

fn print_json(scenario: &'static Scenario, account: &Like) -> bool {
    let played = on_clock(scenario, account, true, |_| ());
    for (_, answer) in &played.answers {
        let document = match answer {
            Ok(report) => serde_json::to_string_pretty(report),
            // Lambda's answer to the caller of a failed invocation.
            Err(failure) => serde_json::to_string_pretty(
                &json!({ "errorType": failure.error_type(), "errorMessage": failure.to_string() }),
            ),
        };
        println!("{}", document.expect("a report is JSON"));
    }
    print_problems(&played);
    played.problems.is_empty()
}

/// Plays a scenario on a runtime of its own.
fn on_clock(
    scenario: &'static Scenario,
    account: &Like,
    paused: bool,
    sink: impl FnMut(&Entry) + Send + 'static,
) -> Played {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime =
        runtime.enable_time().start_paused(paused).build().expect("a runtime needs nothing that could be missing");
    runtime.block_on(play(scenario, account, Box::new(sink)))
}

/// Plays a scenario in real time and prints its timeline, reports and mails.
fn show(scenario: &'static Scenario, account: &Like) -> bool {
    println!("{BOLD}{}{BOLD:#}: {}.\n", scenario.name, scenario.title);
    for sentence in introduction(scenario, account) {
        print_wrapped(&sentence);
    }
    println!();
    // A scenario of many minutes is played without waiting.
    let is_long = scenario.acts.iter().any(|act| !act.passes.is_zero());
    let played = on_clock(scenario, account, is_long, print_entry);
    for (who, answer) in &played.answers {
        match answer {
            Ok(report) => print_report(*who, report),
            Err(failure) => {
                print_heading(&heading("Failed invocation", *who));
                print_wrapped(&format!("{}: {failure}", failure.error_type()));
            }
        }
    }
    for mail in &played.mails {
        print_heading("Mail");
        print_mail(mail);
    }
    if played.mails.is_empty() {
        print_heading("Mail");
        println!("None: nothing was changed, and no change is needed.");
    }
    println!();
    print_whereabouts(&played);
    print_problems(&played);
    played.problems.is_empty()
}

fn print_entry(entry: &Entry) {
    let time = format!("{:>7.2} s", entry.at.as_secs_f64());
    let who = format!("{:<10}", entry.who);
    let color = match entry.who {
        Who::Function(_) => AnsiColor::Cyan.on_default(),
        Who::Ec2 => AnsiColor::Yellow.on_default(),
        Who::Sns | Who::Event => AnsiColor::Magenta.on_default(),
    };
    let style = if entry.bad { BAD } else { Style::new() };
    let indent = time.len() + who.chars().count() + 4;
    let lines = wrapped(&entry.what, WIDTH - indent);
    println!("{FAINT}{time}{FAINT:#}  {color}{who}{color:#}  {style}{}{style:#}", lines[0]);
    for line in &lines[1..] {
        println!("{:indent$}{style}{line}{style:#}", "");
    }
}

/// The name of the function, if there are several.
fn heading(text: &str, who: Who) -> String {
    match who {
        Who::Function(Some(number)) => format!("{text} of function {number}"),
        _ => text.to_owned(),
    }
}

fn print_heading(text: &str) {
    println!("\n{BOLD}{text}{BOLD:#}");
}

fn print_report(who: Who, report: &Report) {
    print_heading(&heading("Report", who));
    let outcome = match report.outcome {
        Outcome::Moved | Outcome::Started | Outcome::Repaired | Outcome::Resolved => GOOD,
        Outcome::Refused | Outcome::Failed => BAD,
        Outcome::NoAction
        | Outcome::Audited
        | Outcome::Planned
        | Outcome::Ignored
        | Outcome::Paused
        | Outcome::Resumed => Style::new(),
    };
    println!("outcome   {outcome}{}{outcome:#} ({})", report.outcome, report.reason);
    let mut label = "summary";
    for line in wrapped(&report.summary, WIDTH - 10) {
        println!("{label:<10}{line}");
        label = "";
    }
    let (works, style) = match report.expected_to_work {
        Expectation::Yes => ("yes", GOOD),
        Expectation::No => ("no", BAD),
        Expectation::Unknown => ("unknown", DOUBTFUL),
    };
    println!("works     {style}{works}{style:#}");
    let checks = report.checks;
    let checks = [
        ("hostid", checks.hostid),
        ("Elastic IP", checks.elastic_ip),
        ("security group", checks.security_group),
        ("kept on termination", checks.delete_on_termination),
        ("ports answer", checks.listening),
    ];
    let mut label = "checks";
    for (name, result) in checks {
        let (word, style) = match result {
            CheckResult::Ok => ("ok", GOOD),
            CheckResult::Repaired => ("repaired", GOOD),
            CheckResult::Failed => ("failed", BAD),
            CheckResult::NotConfigured => ("not configured", FAINT),
            CheckResult::NotChecked => ("not checked", FAINT),
        };
        println!("{label:<10}{name:<20}  {style}{word}{style:#}");
        label = "";
    }
    let mut label = "findings";
    for finding in &report.findings {
        let style = match finding.severity {
            Severity::Critical => BAD,
            Severity::Warning => DOUBTFUL,
            Severity::Info => Style::new(),
        };
        println!("{label:<10}{style}{:<8}{style:#}  {}", finding.severity.to_string(), finding.code);
        for line in wrapped(&finding.message, WIDTH - 20) {
            println!("{:20}{FAINT}{line}{FAINT:#}", "");
        }
        label = "";
    }
    if report.findings.is_empty() {
        println!("findings  none");
    }
}

/// Prints a mail as SNS delivers it by email, in a frame.
fn print_mail(mail: &Mail) {
    let rule = "─".repeat(WIDTH - 1);
    println!("{FAINT}┌{rule}{FAINT:#}");
    let print = |text: &str, style: Style| {
        for line in wrapped(text, WIDTH - 2) {
            println!("{FAINT}│{FAINT:#} {style}{line}{style:#}");
        }
    };
    print(&format!("Subject: {}", mail.subject), BOLD);
    println!("{FAINT}│{FAINT:#}");
    for line in mail.body.trim_end().lines() {
        match line {
            "" => println!("{FAINT}│{FAINT:#}"),
            line if line.contains(names::MAC) => print(line, BOLD),
            line => print(line, Style::new()),
        }
    }
    println!("{FAINT}└{rule}{FAINT:#}");
}

fn print_whereabouts(played: &Played) {
    match &played.interface {
        None => println!("The license interface no longer exists. Its MAC address was {}.", names::MAC),
        Some((holder, mac)) => {
            let place = match holder {
                Some(id) => format!("on the {}, {id}", role(id)),
                None => "attached to nothing".to_owned(),
            };
            println!("The license interface is {place}. MAC address: {BOLD}{mac}{BOLD:#}.");
        }
    }
}

fn print_problems(played: &Played) {
    for problem in &played.problems {
        eprintln!("{BAD}not as expected{BAD:#}: {problem}");
    }
}

fn print_wrapped(text: &str) {
    for line in wrapped(text, WIDTH) {
        println!("{line}");
    }
}

/// Breaks a line between words, with the same indentation.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut lines = vec![indent.clone()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        let is_empty = last.trim().is_empty();
        if !is_empty && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            if !is_empty {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
