//! How the command is called again for the same deployed function.

/// The options that make another call of the command work on the same deployed function, from wherever it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    options: String,
}

impl Again {
    /// The options for this stack in this Region, with the settings of `--set`, each as NAME=VALUE. Names need no quotation marks.
    pub fn new(stack: &str, region: &str, settings: &[String]) -> Self {
        let given = settings.iter().filter_map(|setting| setting.split_once('='));
        let given = given.filter(|(name, _)| *name != "AWS_REGION");
        let settings = std::iter::once(("AWS_REGION", region)).chain(given);
        let settings = settings.map(|(name, value)| format!(" --set {name}={}", quoted(value)));
        Self { options: format!(" --stack-name {}{}", quoted(stack), settings.collect::<String>()) }
    }

    /// The command line of a task, such as `audit`.
    pub fn command(&self, task: &str) -> String {
        format!("token-failover {task}{}", self.options)
    }
}

/// A word for a shell. A word with a NUL, which no shell takes, cannot come from a command line.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| String::new(), |quoted| quoted.into_owned())
}
