//! The deployed function: its stack, and the settings in it.

use clap::Args;
use token_failover::model::config::Config;
use token_failover_aws::{self as aws, SdkConfig, Stack};
use token_failover_operator::exercise::Again;

use crate::asked;
use crate::ended::Trouble;
use crate::settings::{Purpose, Source};

/// The settings that a task works with.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Take the settings from this stack of token-failover, instead of from the environment and samconfig.toml.
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
}

impl Settings {
    /// The settings of the stack, if one is named, or those of the environment and the file.
    pub(crate) fn config(&self, source: &Source, purpose: Purpose) -> Result<Config, Trouble> {
        match &self.stack_name {
            None => source.config(purpose),
            Some(name) => asked::on_runtime(async { Deployed::find(source, Some(name)).await?.config(source) }),
        }
    }
}

/// The stack of a deployed function.
pub(crate) struct Deployed {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) sdk: SdkConfig,
    stack: Stack,
}

impl Deployed {
    /// The stack with this name, or else the one that SAM's file names.
    pub(crate) async fn find(source: &Source, name: Option<&str>) -> Result<Self, Trouble> {
        let (in_file, region) = source.stack()?;
        let name = name.map_or(in_file, str::to_owned);
        let sdk = aws::operators_config(region).await;
        let Some(region) = sdk.region().map(ToString::to_string) else {
            let hint = "Set AWS_REGION to the Region of the stack.";
            return Err(Trouble::new("no AWS Region is configured", hint));
        };
        anstream::eprintln!("asking CloudFormation about {name} ...");
        Self::read(name, region, sdk).await
    }

    async fn read(name: String, region: String, sdk: SdkConfig) -> Result<Self, Trouble> {
        let stack = aws::stack(&sdk, &name).await.map_err(|error| asked::unanswered(error, &region))?;
        let Some(stack) = stack else {
            let hint =
                "Pass the name of the stack of token-failover with --stack-name. Check AWS_REGION and AWS_PROFILE.";
            return Err(Trouble::new(format!("there is no stack {name} in {region} in this account"), hint));
        };
        Ok(Self { name, region, sdk, stack })
    }

    /// The stack as it is now.
    pub(crate) async fn now(&self) -> Result<Self, Trouble> {
        Self::read(self.name.clone(), self.region.clone(), self.sdk.clone()).await
    }

    /// Whether CloudFormation has changed nothing in the stack in between.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        self.stack == before.stack
    }

    /// The stack's status, such as `UPDATE_COMPLETE`.
    pub(crate) fn status(&self) -> &str {
        &self.stack.status
    }

    /// The settings of the function. `--set` overrides them.
    pub(crate) fn config(&self, source: &Source) -> Result<Config, Trouble> {
        source.config_of(&self.stack, &self.region)
    }

    /// How the command is called again for this function.
    pub(crate) fn again(&self, source: &Source) -> Again {
        Again::new(&self.name, &self.region, source.given())
    }
}
