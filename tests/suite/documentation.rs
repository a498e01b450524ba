//! The operators' documents match the code: every name in them exists, and they have every name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use simulator::names;
use simulator::world::LicenseService;
use strum::{VariantArray, VariantNames};
use token_failover::decide::request::parse;
use token_failover::model::config::{Config, VARIABLES};
use token_failover::model::failure::Failure;
use token_failover::model::finding::{FindingCode, Severity};
use token_failover::model::notification::{Hostid, Notification};
use token_failover::model::reason::Reason;
use token_failover::model::report::{Outcome, Report, Step};
use token_failover::model::request::Parsed;
use token_failover::model::tags as marks;
use token_failover::tell::flexnet::MEANINGS;
use token_failover::tell::metrics;
use token_failover::tell::metrics::METRICS;

use crate::standard::{self, documents, event};
use crate::support::Stage;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A source file without its comments and attributes, which may have other names.
fn source(path: &str) -> String {
    let text = read(path);
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#["));
    code.collect::<Vec<_>>().join("\n")
}

/// Each block that a line with this text opens, up to its closing brace.
fn blocks(source: &str, opening: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = String::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(opening)) {
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let block = lines[index..].iter().take_while(|line| **line != end);
        found.extend(block.flat_map(|line| [line, "\n"]));
    }
    assert!(!found.is_empty(), "no block begins with {opening}");
    found
}

/// The string literals that have only these characters.
fn literals(source: &str, fits: impl Fn(char) -> bool) -> BTreeSet<String> {
    let pieces = source.split('"').filter(|piece| piece.starts_with(|c: char| c.is_ascii_alphabetic()));
    pieces.filter(|piece| piece.chars().all(&fits)).map(str::to_owned).collect()
}

/// The literals in kebab-case, including single words.
fn words(source: &str) -> BTreeSet<String> {
    literals(source, |c| c.is_ascii_lowercase() || c == '-')
}

/// The names of an enum.
fn names_of<T: VariantArray + ToString>() -> BTreeSet<String> {
    T::VARIANTS.iter().map(ToString::to_string).collect()
}

fn error_types() -> BTreeSet<String> {
    let mut types: BTreeSet<String> = Failure::VARIANTS.iter().map(|name| (*name).to_owned()).collect();
    let configuration = blocks(&source("function/src/main.rs"), "fn from(failed: Failed)");
    types.extend(literals(&configuration, |c| c.is_ascii_alphanumeric()));
    types
}

/// The text after `after`, up to a comma or the end of the statement.
fn first_arguments(source: &str, after: &str) -> String {
    let calls = source.split(after).skip(1);
    calls.map(|call| call.split([',', ';']).next().unwrap_or_default().to_owned() + "\n").collect()
}

fn alarms() -> BTreeSet<String> {
    let template = read("template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    let alarms = lines.windows(2).filter(|pair| pair[1] == "    Type: AWS::CloudWatch::Alarm");
    alarms.map(|pair| pair[0].trim().trim_end_matches(':').to_owned()).collect()
}

/// The document with empty code blocks, so that a comment in them is not a heading.
fn prose(document: &str) -> String {
    let mut fenced = false;
    let lines = document.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        let inside = fenced || is_fence;
        fenced ^= is_fence;
        if inside { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The code blocks of one language.
fn fenced(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), block.take()) {
            (Some(opened), None) => block = Some((opened == language, String::new())),
            (Some(_), Some((wanted, text))) => blocks.extend(wanted.then_some(text)),
            (None, Some((wanted, text))) => block = Some((wanted, text + line + "\n")),
            (None, None) => {}
        }
    }
    blocks
}

/// The headings outside of code blocks, with their level and their line.
fn headings(document: &str) -> Vec<(usize, usize, String)> {
    let heading = |(index, line): (usize, &str)| {
        let level = line.chars().take_while(|c| *c == '#').count();
        let title = line.trim_start_matches('#').strip_prefix(' ')?;
        (level > 0).then(|| (level, index, title.to_owned()))
    };
    prose(document).lines().enumerate().filter_map(heading).collect()
}

/// The section of a heading, up to the next heading of its level or above.
fn section(document: &str, title: &str) -> String {
    let headings = headings(document);
    let place = headings.iter().position(|(_, _, other)| other == title);
    let place = place.unwrap_or_else(|| panic!("no heading {title}"));
    let (level, begin, _) = &headings[place];
    let end = headings[place + 1..].iter().find(|(other, _, _)| other <= level).map(|(_, line, _)| *line);
    let lines: Vec<&str> = document.lines().collect();
    lines[begin + 1..end.unwrap_or(lines.len())].join("\n")
}

/// The rows of the table whose header begins with this cell, each by its cells.
fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let begins = format!("| {header} |");
    let rows = text.lines().skip_while(|line| !line.starts_with(&begins)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table of {header}");
    rows
}

/// The names between backticks in a cell.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names in the first column.
fn named(rows: &[Vec<String>]) -> BTreeSet<String> {
    let names: Vec<String> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let different: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(names.len(), different.len(), "a name twice: {names:?}");
    different
}

/// The entries of the runbook with their text.
fn entries(runbook: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for (_, _, title) in headings(runbook).iter().filter(|(level, _, _)| *level == 3) {
        if let Some(word) = title.strip_prefix('`').and_then(|title| title.strip_suffix('`')) {
            let before = entries.insert(word.to_owned(), section(runbook, title));
            assert_eq!(before, None, "{word} has two entries");
        }
    }
    entries
}

#[test]
fn the_runbook_has_an_entry_for_every_code_that_an_operator_may_meet_and_no_others() {
    let mut words = names_of::<Outcome>();
    words.extend(names_of::<Reason>());
    words.extend(names_of::<FindingCode>());
    words.extend(error_types());
    words.extend(alarms());
    let entries: BTreeSet<String> = entries(&read("docs/runbook.md")).into_keys().collect();
    assert_eq!(entries, words);
}

#[test]
fn the_tables_of_findings_have_every_code_once_with_the_severities_that_it_can_have() {
    let document = read("docs/findings.md");
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.split(" | ").take(2).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert_eq!(named(&rows), names_of::<FindingCode>());
    for row in &rows {
        let code: FindingCode = standard::parsed(&quoted(&row[0]).concat());
        let mut severities = [Severity::Critical, Severity::Warning, Severity::Info].to_vec();
        severities.retain(|severity| row[1].contains(&severity.to_string()));
        severities.sort_by_key(|severity| row[1].find(&severity.to_string()));
        assert_eq!(severities, code.severities(), "{code}");
    }
}

#[test]
fn the_runbook_has_every_reason_for_an_unreadable_license_file_and_no_others() {
    let problems = blocks(&read("operator/src/license/problem.rs"), "pub enum Problem");
    let text = |line: &str| Some(line.trim().strip_prefix("#[error(\"")?.split('"').next()?.to_owned());
    // The runbook has dots in place of an inserted value.
    let dotted = |text: String| text.split(['{', '}']).step_by(2).collect::<Vec<_>>().join("…");
    let texts: BTreeSet<String> = problems.lines().filter_map(text).map(dotted).collect();
    assert!(texts.contains("the file is empty"), "{texts:?}");
    let rows = table(&section(&read("docs/runbook.md"), "When a license file cannot be read"), "the message says");
    assert_eq!(named(&rows), texts);
}

#[test]
fn every_entry_says_what_it_means_what_to_do_and_how_to_undo_it_in_this_order() {
    for (word, entry) in entries(&read("docs/runbook.md")) {
        let (meaning, rest) = entry.split_once("**Do:**").unwrap_or_else(|| panic!("{word}: nothing to do"));
        let (to_do, undo) = rest.split_once("**Undo:**").unwrap_or_else(|| panic!("{word}: nothing to undo"));
        for (part, text) in [("meaning", meaning), ("what to do", to_do), ("how to undo it", undo)] {
            assert!(text.trim().len() > 6, "{word} does not say {part}");
        }
    }
}

#[test]
fn the_index_of_the_runbook_leads_to_every_entry_once() {
    let runbook = read("docs/runbook.md");
    let index = section(&runbook, "Index");
    let leads: Vec<String> =
        links(&index).into_iter().filter_map(|link| Some(link.strip_prefix('#')?.to_owned())).collect();
    let mut entries: Vec<String> = entries(&runbook).into_keys().map(|word| slug(&word)).collect();
    let mut words: Vec<String> = leads.into_iter().filter(|lead| index.contains(&format!("`](#{lead})"))).collect();
    entries.sort_unstable();
    words.sort_unstable();
    assert_eq!(words, entries);
}

/// Checks that the function has the same configuration with all defaults of a table as without them.
#[track_caller]
fn assert_defaults(rows: &[Vec<String>]) {
    let variables: Vec<String> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    assert_eq!(variables, VARIABLES);
    let required: Vec<(String, String)> = [
        ("TOKEN_SERVER_INTERFACE_ID", names::INTERFACE.to_owned()),
        ("TOKEN_SERVER_INSTANCE_IDS", format!("{},{}", names::HOLDER, names::STANDBY)),
        ("NOTIFICATION_TOPIC_ARN", names::TOPIC.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let defaults = rows.iter().map(|row| {
        let default = match row[1].as_str() {
            "required" => {
                let given = required.iter().find(|(name, _)| row[0].contains(name.as_str()));
                given.unwrap_or_else(|| panic!("{} is not required", row[0])).1.clone()
            }
            "empty" => String::new(),
            "the interface's id" => names::INTERFACE.to_owned(),
            value => quoted(value).concat(),
        };
        (quoted(&row[0]).concat(), default)
    });
    let defaults: Vec<(String, String)> = defaults.collect();
    // An empty value counts as unset, so it would match every default.
    let empty: Vec<&str> =
        defaults.iter().filter(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        empty,
        [
            "TOKEN_SERVER_MEMBERS",
            "TOKEN_SERVER_CLIENTS",
            "TOKEN_SERVER_ALLOCATION_ID",
            "TOKEN_SERVER_HOSTID",
            "TOKEN_SERVER_LICENSE_EXPIRES",
            "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT",
            "FAILOVER_ACTIVATION_DOCUMENT",
            "FAILOVER_ACTIVATION_PARAMETERS"
        ]
    );
    let without = Config::from_variables(required).expect("what is required is enough");
    assert_eq!(Config::from_variables(defaults).expect("defaults are right"), without);
    assert!(without.clients.is_empty() && without.allocation_id.is_none());
    assert!(without.hostid.is_none() && without.activation.is_none() && without.license_check.is_none());
}

#[test]
fn the_tables_of_settings_have_every_variable_in_its_order_and_with_its_default() {
    assert_defaults(&table(&section(&read("docs/reference.md"), "Settings"), "variable"));
}

#[test]
fn the_reference_has_every_parameter_of_the_template_and_no_others() {
    let template = read("template.yaml");
    let parameters = template.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let parameters = parameters.take_while(|line| line.is_empty() || line.starts_with(' '));
    let name = |line: &str| Some(line.strip_prefix("  ")?.strip_suffix(':')?.to_owned());
    let parameters: BTreeSet<String> =
        parameters.filter_map(name).filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric())).collect();
    let settings = section(&read("docs/reference.md"), "Settings");
    let of_settings = table(&settings, "variable");
    let mut listed: BTreeSet<String> =
        of_settings.iter().filter_map(|row| quoted(row.last()?).into_iter().next()).collect();
    listed.extend(named(&table(&settings, "parameter")));
    assert_eq!(listed, parameters);
}

#[test]
fn the_reference_has_every_metric_with_its_unit() {
    let section = section(&read("docs/reference.md"), "Metrics");
    let listed: Vec<(String, String)> =
        table(&section, "metric").into_iter().map(|row| (quoted(&row[0]).concat(), row[1].clone())).collect();
    let known: Vec<(String, String)> =
        METRICS.iter().map(|(name, unit)| ((*name).to_owned(), (*unit).to_owned())).collect();
    assert_eq!(listed, known);
    assert!(
        section.contains(&format!("`{}`", metrics::NAMESPACE))
            && section.contains(&format!("`{}`", metrics::DIMENSION))
    );
}

/// The paths of all fields, such as `steps[].error`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// Reports that together have all fields: a move that an operator requested, an announcement, an audit with findings,
/// and a pause.
async fn reports() -> Vec<Report> {
    let mut reports = Vec::new();
    for document in ["operator-failover", "holder-health-retirement", "operator-audit"] {
        let all = [
            ("TOKEN_SERVER_PROBE", "true"),
            ("FAILOVER_ACTIVATION_DOCUMENT", names::DOCUMENT),
            ("TOKEN_SERVER_LICENSE_EXPIRES", "2031-12-31"),
            ("TOKEN_SERVER_VENDORS", "acmed"),
            ("TOKEN_SERVER_LICENSE_CONTACT", "licenses@example.com"),
        ];
        let stage = Stage::recorded(simulator::pair().build(), &all, Box::new(|_| ()));
        reports.push(stage.invoke(event(document)).await.expect("a report"));
        reports.push(stage.invoke(event("operator-pause")).await.expect("a report"));
    }
    // A license server with errors of each kind.
    let check = [("TOKEN_SERVER_LICENSE_CHECK_DOCUMENT", names::LICENSE_CHECK_DOCUMENT)];
    let stage = Stage::recorded(simulator::pair().build(), &check, Box::new(|_| ()));
    for service in
        [LicenseService::OneFeatureRejected, LicenseService::VendorDown(-97), LicenseService::VendorDown(-57)]
    {
        stage.simulator.world(|world| world.set_license_service(service));
        reports.push(stage.invoke(event("operator-audit")).await.expect("a report"));
    }
    stage.simulator.world(|world| world.kill_token_server(names::HOLDER)).expect("it exists");
    reports.push(stage.invoke(event("operator-audit")).await.expect("a report"));
    reports
}

#[tokio::test(start_paused = true)]
async fn the_reference_has_every_field_of_the_reports_and_no_others() {
    let mut found = BTreeSet::new();
    for report in reports().await {
        fields(&json!(report), "", &mut found);
    }
    assert_eq!(named(&table(&section(&read("docs/reference.md"), "The report"), "field")), found);
}

#[tokio::test(start_paused = true)]
async fn the_reference_has_every_attribute_and_every_string_of_a_notification() {
    let config = standard::config(&[]);
    let report = reports().await.into_iter().next().expect("a report");
    let notification = Notification::new(&config, &report, "a run", Hostid::New);
    let section = section(&read("docs/reference.md"), "The notification");
    let attributes: BTreeSet<String> = notification.attributes.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(named(&table(&section, "attribute")), attributes);
    let texts: BTreeMap<String, Value> = serde_json::from_str(&notification.message).expect("an object");
    assert_eq!(named(&table(&section, "protocol")), texts.into_keys().collect());
    assert_eq!(named(&table(&section, "outcome")), names_of::<Outcome>());
    assert!(section.contains(&format!("`{}`", notification.subject)), "{}", notification.subject);
}

#[test]
fn the_reference_has_every_step_kind_of_trigger_log_line_tag_and_error_type() {
    let reference = read("docs/reference.md");
    assert_eq!(named(&table(&section(&reference, "Steps"), "step")), names_of::<Step>());

    let kinds = documents().into_iter().map(|name| {
        let parsed = parse(&event(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let trigger = match parsed {
            Parsed::Request(request) => request.trigger,
            Parsed::Ignored { trigger, .. } => trigger,
        };
        json!(trigger.kind).as_str().expect("a word").to_owned()
    });
    assert_eq!(named(&table(&section(&reference, "Events"), "kind")), kinds.collect());

    let mut lines = words(&first_arguments(&source("function/src/main.rs"), "line(\"INFO\", "));
    lines.extend(words(&first_arguments(&source("function/src/main.rs"), "line(\"DEBUG\", ")));
    lines.extend(words(&first_arguments(&source("function/src/main.rs"), "line(\"ERROR\", ")));
    // These two have more fields at their root than their type.
    lines.extend(["metrics", "plan"].map(str::to_owned));
    assert_eq!(named(&table(&section(&reference, "Log lines"), "type")), lines);

    let tags = named(&table(&section(&reference, "Tags on the interface"), "tag"));
    let (owed, others): (BTreeSet<&str>, BTreeSet<&str>) =
        tags.iter().map(String::as_str).partition(|tag| tag.starts_with("token-failover:owed:"));
    let of_moves = format!("{}:<run>", marks::ATTACHED);
    assert!(others.contains(&*of_moves), "{others:?}");
    let plain: BTreeSet<&str> = others.into_iter().filter(|tag| *tag != of_moves).collect();
    assert_eq!(
        plain,
        BTreeSet::from([
            marks::MOVES,
            marks::REFUSED,
            marks::ANNOUNCED,
            marks::AUDITED,
            marks::SEEN,
            marks::HOSTID,
            marks::PAUSED,
            marks::PAUSED_TOLD,
            marks::LIMITS,
            marks::NOT_STARTED,
        ])
    );
    // What a key begins with is in the source once, and each of its kinds is documented.
    let code = source("src/decide/pending/report.rs");
    let kinds = ["detached", "repair", "start"].map(|kind| (kind, code.contains(&format!("&str = \"{kind}\";"))));
    assert!(kinds.iter().all(|(_, is_there)| *is_there), "{kinds:?}");
    let expected = ["<attachment>:<run>", "detached:<run>", "repair:<run>", "start:<run>"];
    assert_eq!(owed, expected.map(|kind| format!("token-failover:owed:{kind}")).iter().map(String::as_str).collect());

    assert_eq!(named(&table(&section(&reference, "Error types"), "`errorType`")), error_types());
}

#[test]
fn the_page_about_the_laws_has_a_row_for_each_deliberate_break() {
    let rows = named(&table(&section(&read("docs/laws.md"), "Breaking the function on purpose"), "break"));
    let files = fs::read_dir(root().join("tests/mutations")).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let breaks: BTreeSet<String> = names.filter_map(|name| name.strip_suffix(".patch").map(str::to_owned)).collect();
    assert!(!breaks.is_empty());
    assert_eq!(rows, breaks);
}

/// The documents that people read, by their paths.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in ["", "docs/", "events/", "deploy/"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        let files = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        pages.extend(files.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}{name}")));
    }
    pages.sort_unstable();
    pages
}

/// The targets of the links in a document.
fn links(document: &str) -> Vec<String> {
    let text = prose(document);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.map(str::to_owned).collect()
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_between_the_documents_has_a_target() {
    let mut followed = 0;
    for page in pages() {
        for link in links(&read(&page)) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let folder = Path::new(&page).parent().expect("a folder");
            let target = if path.is_empty() { PathBuf::from(&page) } else { folder.join(path) };
            assert!(root().join(&target).exists(), "{page}: the target of {link} does not exist");
            if let Some(anchor) = anchor {
                let document = fs::read_to_string(root().join(&target)).expect("a document");
                let found = headings(&document).iter().any(|(_, _, title)| slug(title) == anchor);
                assert!(found, "{page}: {link} has no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 200, "{followed}");
}

/// A payload for the function in a document, with its place.
fn payloads() -> Vec<(String, Value)> {
    let mut payloads = Vec::new();
    for page in pages() {
        let document = read(&page);
        for block in fenced(&document, "json") {
            let values = serde_json::Deserializer::from_str(&block).into_iter::<Value>();
            let values = values.map(|value| value.unwrap_or_else(|error| panic!("{page}: {error} in {block}")));
            payloads.extend(values.map(|value| (page.clone(), value)));
        }
        for block in fenced(&document, "sh") {
            // The shell inserts the id of an instance.
            let block = block.replace("'\"$MEMBER\"'", names::STANDBY);
            // Other commands take other documents.
            let requests = block.match_indices("'{\"").filter(|(at, _)| {
                let before = block[..*at].trim_end();
                before.ends_with("invoke") || before.ends_with("--payload")
            });
            for (at, _) in requests {
                let text = block[at + 1..].split('\'').next().unwrap_or_default().to_owned();
                let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{page}: {error} in {text}"));
                payloads.push((page.clone(), value));
            }
        }
    }
    payloads
}

#[test]
fn every_request_and_event_in_the_documents_is_understood() {
    let mut understood = BTreeMap::new();
    for (page, payload) in payloads() {
        let parsed = parse(&payload).unwrap_or_else(|error| panic!("{page}: {payload}: {error}"));
        assert!(matches!(parsed, Parsed::Request(_)), "{page}: {payload} is ignored");
        *understood.entry(page).or_insert(0) += 1;
    }
    for page in ["README.md", "docs/reference.md", "docs/runbook.md", "docs/setup.md"] {
        assert!(understood.contains_key(page), "{page} has none");
    }
}

#[test]
fn every_variable_of_a_command_is_set_on_the_same_page() {
    for page in ["docs/runbook.md", "docs/setup.md"] {
        let document = read(page);
        let commands = fenced(&document, "sh").concat();
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        let used = commands.split('$').skip(1).map(|rest| rest.trim_start_matches('{'));
        let used: BTreeSet<&str> = used
            .map(|rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())])
            .filter(|name| !name.is_empty())
            .collect();
        assert!(used.len() > 5, "{page}: {used:?}");
        let unset: Vec<&&str> = used.iter().filter(|name| !document.contains(&format!("{name}="))).collect();
        assert_eq!(unset, Vec::<&&str>::new(), "{page}");
    }
}

#[test]
fn the_mail_in_the_readme_is_a_real_one() {
    let readme = read("README.md");
    let shown = fenced(&section(&readme, "The mail"), "text").concat();
    let (subject, shown) = shown.split_once("\n\n").expect("a subject and a text");
    assert_eq!(subject, "Subject: MOVED: license-eu (hostid 0273ae2adc81)");
    let snapshot = read("tests/suite/snapshots/mail-moved.snap");
    let sent = snapshot.splitn(3, "---\n").nth(2).expect("a text below the head of the snapshot");
    // Lines on a page must be shorter than in a mail.
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(shown), words(sent));
}

#[test]
fn the_runbook_has_every_error_of_flexnet_that_the_messages_put_into_words() {
    let section = section(&read("docs/runbook.md"), "Error numbers of `lmstat`");
    let listed: BTreeSet<String> = table(&section, "number").into_iter().flat_map(|row| quoted(&row[0])).collect();
    let worded: BTreeSet<String> = MEANINGS.iter().map(|(number, _)| number.to_string()).collect();
    assert_eq!(listed, worded);
}
