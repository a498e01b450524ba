//! `token-failover`: the operator's command. It serves the requests of the function with the operator's own
//! credentials.
//!
//! Data goes to standard output, everything else to standard error. The exit status is 0 for success, 1 for findings or
//! a refusal, and 2 for an error of the command.

#![warn(clippy::expect_used, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

mod asked;
mod deployed;
mod ended;
mod exercise;
mod files;
mod init;
mod license;
mod members;
mod settings;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::{Value, json};
use token_failover::model::config::Config;
use token_failover::model::ids::NetworkInterfaceId;

use crate::deployed::Settings;
use crate::ended::{Ended, Trouble};
use crate::settings::{Purpose, Source};

/// Keeps a MOSEK token server's license interface on a living instance.
#[derive(Debug, Parser)]
#[command(name = "token-failover", version, after_help = EXAMPLES)]
struct Command {
    #[command(flatten)]
    source: Source,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "\
Examples:
  token-failover init --interface eni-0123456789abcdef0 --email ops@example.com
  token-failover audit                      check that the next failover would work; changes nothing
  token-failover plan                       show what would happen now; changes nothing
  token-failover failover --to i-0bbbbbbbbbbbbbbb2 --reason maintenance
  token-failover exercise                   try a failover there and back, and measure it; clients lose their licenses
  token-failover pause --until 2h --reason maintenance
  token-failover resume                     end the pause
  token-failover license mosek.lic          show the hostid, the ports, the last day and any problems
  token-failover report answer.json         show a report as its mail
  token-failover replay function.log        plan again from the function's log

The command uses the function's settings: from --set; and from the stack that --stack-name names or, without it, from
environment variables and the parameters in samconfig.toml. The topic of a stack is its output TopicArn.

Exit status: 0 all is well, 1 findings, a refusal or a failure, 2 no result.";

#[derive(Debug, Subcommand)]
enum Task {
    /// Read what EC2 knows about a license interface, and write the parameters for `sam deploy`.
    Init(init::Wishes),
    /// Check that the next failover would work. Changes and publishes nothing.
    Audit(Settings),
    /// Show what would happen now. Changes nothing.
    Plan(Settings),
    /// Move the interface to another member now, and publish the report.
    Failover {
        #[command(flatten)]
        settings: Settings,
        /// The member to move the interface to. Default: the first viable standby. If neither this member nor the holder takes the
        /// interface, another standby gets it.
        #[arg(long, value_name = "INSTANCE")]
        to: Option<String>,
        /// The reason, for the report.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Do not ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Make a planned failover there and back, watch it, and say how long each part took. Clients lose their licenses.
    Exercise(exercise::Wishes),
    /// Keep the function from changing anything for a while, and publish the pause. Your own failover still works.
    Pause {
        #[command(flatten)]
        settings: Settings,
        /// A time such as 2026-11-12T01:30:00Z or a duration such as 2h, 90m or 1d, at most a week ahead. Default: four
        /// hours.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// The reason, for the report.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause now, and publish its end.
    Resume(Settings),
    /// Show what a license file names and what is wrong with it. No other line of the file is printed.
    License {
        /// The license file.
        file: PathBuf,
        /// Compare the hostid and the host with the addresses of this interface.
        #[arg(long, value_name = "ENI")]
        interface: Option<NetworkInterfaceId>,
    },
    /// Show a report as its mail, from a log line, a message of SNS or SQS, or the function's answer.
    Report {
        /// The file; `-` is standard input.
        file: PathBuf,
    },
    /// Plan again from the function's log, and show whether the plan is the same.
    Replay {
        /// The log, one JSON object per line; `-` is standard input.
        file: PathBuf,
    },
    /// Print the completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(hide = true)]
    Manual,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Badly) => ExitCode::from(1),
        Err(Trouble { problem, hint }) => {
            let style = show::BAD;
            anstream::eprintln!("{style}error{style:#}: {problem}");
            if !hint.is_empty() {
                anstream::eprintln!("{hint}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<Ended, Trouble> {
    let Command { source, json, task } = command;
    match task {
        Task::Init(wishes) => init::init(&wishes),
        Task::Audit(settings) => {
            asked::ask(settings.config(&source, Purpose::Look)?, &json!({"action": "audit", "dryRun": true}), json)
        }
        Task::Plan(settings) => asked::ask(settings.config(&source, Purpose::Look)?, &json!({"action": "plan"}), json),
        Task::Failover { settings, to, reason, yes } => {
            failover(settings.config(&source, Purpose::Move)?, to.as_deref(), reason.as_deref(), yes, json)
        }
        Task::Exercise(wishes) => exercise::exercise(&source, &wishes, json),
        Task::Pause { settings, until, reason } => {
            let request = json!({"action": "pause", "until": until, "reason": reason});
            asked::ask(settings.config(&source, Purpose::Pause)?, &request, json)
        }
        Task::Resume(settings) => {
            asked::ask(settings.config(&source, Purpose::Pause)?, &json!({"action": "resume"}), json)
        }
        Task::License { file, interface } => license::license(&file, interface.as_ref(), json),
        Task::Report { file } => files::report(&file, json),
        Task::Replay { file } => files::replay(&file, json),
        Task::Completions { shell } => {
            clap_complete::generate(shell, &mut Command::command(), "token-failover", &mut std::io::stdout());
            Ok(Ended::Well)
        }
        Task::Manual => {
            let manual = clap_mangen::Man::new(Command::command()).render(&mut std::io::stdout());
            manual
                .map(|()| Ended::Well)
                .map_err(|error| Trouble::new(format!("the manual page could not be written: {error}"), ""))
        }
    }
}

/// Shows the plan, asks for confirmation, and moves the interface.
fn failover(config: Config, to: Option<&str>, reason: Option<&str>, yes: bool, json: bool) -> Result<Ended, Trouble> {
    let request = |dry_run: bool| {
        let mut request = json!({"action": "failover", "dryRun": dry_run});
        let optional = [("to", to), ("reason", reason)];
        if let Value::Object(fields) = &mut request {
            fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
        }
        request
    };
    if !yes {
        asked::can_confirm("failover")?;
        match asked::plan_of(config.clone(), &request(true))? {
            Some(summary) => anstream::eprintln!("{summary}"),
            None => return asked::ask(config, &request(true), json),
        }
        if !asked::confirm("All clients lose their licenses for a moment. Move now?")? {
            return Ok(Ended::Badly);
        }
    }
    asked::ask(config, &request(false), json)
}
