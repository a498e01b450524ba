//! The settings of the function, from SAM's file, the environment and the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use token_failover::model::config::{Config, VARIABLES};
use token_failover_aws::Stack;
use toml_edit::{DocumentMut, Item, TableLike, Value};

use crate::ended::Trouble;

/// The sources of the settings.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The file with the stack's parameters, as written by `sam deploy --guided`.
    #[arg(long, global = true, value_name = "FILE", default_value = "samconfig.toml")]
    config: PathBuf,
    /// One setting, such as TOKEN_SERVER_PORTS=27007. It overrides the environment and the file.
    #[arg(long = "set", global = true, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// The use of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read and report.
    Look,
    /// To move the interface.
    Move,
    /// To pause the function or end a pause. No token server is activated.
    Pause,
}

const ACTIVATION: &str = "FAILOVER_ACTIVATION_DOCUMENT";
const ACTIVATION_PARAMETERS: &str = "FAILOVER_ACTIVATION_PARAMETERS";
const LICENSE_CHECK: &str = "TOKEN_SERVER_LICENSE_CHECK_DOCUMENT";
const LICENSE_METRICS: &str = "TOKEN_SERVER_LICENSE_METRICS";

impl Source {
    /// The settings. The environment overrides the file, and `--set` overrides both.
    pub(crate) fn config(&self, purpose: Purpose) -> Result<Config, Trouble> {
        let mut variables = self.of_file()?;
        variables.extend(std::env::vars().filter(|(name, _)| is_known(name)));
        self.set_in(&mut variables)?;
        // The template's value for a document that the stack creates. The name of the document is an output of the
        // stack.
        if variables.get(ACTIVATION).is_some_and(|document| document == "restart-service") {
            let give = format!("Pass the stack's output ActivationDocument: --set {ACTIVATION}=NAME");
            match purpose {
                Purpose::Move => {
                    let problem =
                        "the stack created the activation document, and this command does not know the document's name";
                    let hint = format!("{give}, or --set {ACTIVATION}= to activate no token server.");
                    return Err(Trouble::new(problem, hint));
                }
                Purpose::Pause => {}
                Purpose::Look => {
                    anstream::eprintln!("The command does not check whether a standby can be activated. {give}")
                }
            }
            variables.remove(ACTIVATION);
            variables.remove(ACTIVATION_PARAMETERS);
        }
        // The same for the license check. A run without it moves the interface as well.
        if variables.get(LICENSE_CHECK).is_some_and(|document| document == "check-license") {
            if purpose != Purpose::Pause {
                anstream::eprintln!(
                    "The command does not check whether licenses are served. Pass the stack's output LicenseCheckDocument: \
                     --set {LICENSE_CHECK}=NAME"
                );
            }
            variables.remove(LICENSE_CHECK);
            variables.remove(LICENSE_METRICS);
        }
        Config::from_variables(variables).map_err(|error| {
            let hint = "Settings come from --set NAME=VALUE, from the environment, and from the parameters in samconfig.toml. \
                        The topic that a stack created is its output TopicArn.";
            Trouble::new(error.to_string(), hint)
        })
    }

    /// The settings of the deployed function, from its stack. `--set` overrides them.
    pub(crate) fn config_of(&self, stack: &Stack, region: &str) -> Result<Config, Trouble> {
        if !stack.parameters.contains_key("TokenServerInterfaceId") {
            let problem = "this is not a stack of token-failover: it has no parameter TokenServerInterfaceId";
            return Err(Trouble::new(
                problem,
                "Pass the stack of the function with --stack-name, not that of the pair.",
            ));
        }
        let mut variables = of_parameters(stack.parameters.clone());
        variables.insert("AWS_REGION".to_owned(), region.to_owned());
        // Parameters that name a resource of the stack itself, whose name is an output.
        for (variable, output) in OUTPUTS {
            if let Some(value) = stack.outputs.get(output) {
                variables.insert(variable.to_owned(), value.clone());
            }
        }
        self.set_in(&mut variables)?;
        Config::from_variables(variables).map_err(|error| {
            Trouble::new(error.to_string(), "The settings are those of the stack, and those that you pass with --set.")
        })
    }

    /// The name of the stack in SAM's file, or the name that the documentation uses, and the Region of `--set`, of the environment
    /// or of that file.
    pub(crate) fn stack(&self) -> Result<(String, Option<String>), Trouble> {
        let document: DocumentMut = match self.read()? {
            Some(text) => text.parse().map_err(|error: toml_edit::TomlError| self.unreadable(error.message()))?,
            None => DocumentMut::new(),
        };
        let text =
            |name: &str| deployment(&document).and_then(|parameters| parameters.get(name)?.as_str()).map(str::to_owned);
        let mut given = BTreeMap::new();
        self.set_in(&mut given)?;
        let region = given.remove("AWS_REGION").or_else(|| std::env::var("AWS_REGION").ok()).or_else(|| text("region"));
        Ok((text("stack_name").unwrap_or_else(|| "token-failover".to_owned()), region))
    }

    /// The settings of `--set`, each as NAME=VALUE.
    pub(crate) fn given(&self) -> &[String] {
        &self.set
    }

    /// Adds the settings of `--set`.
    fn set_in(&self, variables: &mut BTreeMap<String, String>) -> Result<(), Trouble> {
        for setting in &self.set {
            let Some((name, value)) = setting.split_once('=').filter(|(name, _)| is_known(name)) else {
                let hint = format!("The known settings are {}.", VARIABLES.join(", "));
                return Err(Trouble::new(
                    format!("--set {setting}: this is not NAME=VALUE with the name of a known setting"),
                    hint,
                ));
            };
            variables.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    fn of_file(&self) -> Result<BTreeMap<String, String>, Trouble> {
        match self.read()? {
            Some(text) => of_samconfig(&text).map_err(|problem| self.unreadable(&problem)),
            None => Ok(BTreeMap::new()),
        }
    }

    /// SAM's file; `None`: there is none, and none was named.
    fn read(&self) -> Result<Option<String>, Trouble> {
        let is_default = self.config == Path::new("samconfig.toml");
        match std::fs::read_to_string(&self.config) {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_default && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Trouble::new(format!("{}: {error}", self.config.display()), "Pass another file with --config."))
            }
        }
    }

    fn unreadable(&self, problem: &str) -> Trouble {
        Trouble::new(format!("{}: {problem}", self.config.display()), "`sam deploy` reads this file, too.")
    }
}

/// The settings whose values are outputs of the stack, because the stack makes what they name.
const OUTPUTS: [(&str, &str); 3] = [
    ("NOTIFICATION_TOPIC_ARN", "TopicArn"),
    (ACTIVATION, "ActivationDocument"),
    (LICENSE_CHECK, "LicenseCheckDocument"),
];

/// Whether this is the name of a setting.
fn is_known(name: &str) -> bool {
    VARIABLES.contains(&name) || name == "AWS_REGION"
}

/// The parameters in SAM's file as environment variables of the function.
fn of_samconfig(text: &str) -> Result<BTreeMap<String, String>, String> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let mut variables = of_parameters(overrides(&document)?);
    if let Some(region) = deployment(&document).and_then(|parameters| parameters.get("region")?.as_str()) {
        variables.insert("AWS_REGION".to_owned(), region.to_owned());
    }
    Ok(variables)
}

/// Parameters of the template as environment variables of the function.
fn of_parameters(parameters: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let variables = parameters.into_iter().map(|(name, value)| (variable(&name), value));
    let mut variables: BTreeMap<String, String> =
        variables.filter(|(name, value)| VARIABLES.contains(&name.as_str()) && !value.is_empty()).collect();
    // The template's value for no repairs. The function's value is the empty string.
    if variables.get("FAILOVER_REPAIR").is_some_and(|repair| repair == "none") {
        variables.insert("FAILOVER_REPAIR".to_owned(), String::new());
    }
    variables
}

/// What `sam deploy` reads from SAM's file.
fn deployment(document: &DocumentMut) -> Option<&dyn TableLike> {
    document.get("default").and_then(|part| part.get("deploy")?.get("parameters")).and_then(Item::as_table_like)
}

/// The parameters of the stack in SAM's file, with their values.
pub(crate) fn overrides(document: &DocumentMut) -> Result<Vec<(String, String)>, String> {
    let overrides = deployment(document).and_then(|parameters| parameters.get("parameter_overrides")?.as_value());
    let words = match overrides {
        None => Vec::new(),
        Some(Value::String(line)) => {
            shlex::split(line.value()).ok_or("parameter_overrides has a quotation mark that is not closed")?
        }
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(other) => return Err(format!("parameter_overrides is {}, not a string", other.type_name())),
    };
    let named = words.iter().filter_map(|word| word.split_once('='));
    Ok(named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// `TokenServerPorts` is the parameter for `TOKEN_SERVER_PORTS`.
fn variable(parameter: &str) -> String {
    let mut name = String::new();
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
