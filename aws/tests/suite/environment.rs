//! The SDK's configuration in a Lambda function comes from the function's environment and from nowhere else.

use std::collections::BTreeMap;

use aws_types::service_config::ServiceConfigKey;
use token_failover_aws::functions_config;

/// The configuration with these variables.
fn config(variables: &[(&str, &str)]) -> aws_config::SdkConfig {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    functions_config(move |name| variables.get(name).cloned())
}

#[tokio::test]
async fn the_region_the_kind_of_endpoint_and_the_endpoint_are_those_of_the_environment() {
    for (variables, region, fips, dual_stack, endpoint) in [
        (vec![], None, false, false, None),
        (
            vec![("AWS_REGION", "us-gov-west-1"), ("AWS_USE_FIPS_ENDPOINT", "true")],
            Some("us-gov-west-1"),
            true,
            false,
            None,
        ),
        (vec![("AWS_USE_FIPS_ENDPOINT", "false"), ("AWS_USE_DUALSTACK_ENDPOINT", "True")], None, false, true, None),
        (vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], None, false, false, Some("http://127.0.0.1:1")),
    ] {
        let config = config(&variables);
        let found =
            (config.region().map(AsRef::as_ref), config.use_fips(), config.use_dual_stack(), config.endpoint_url());
        assert_eq!(found, (region, Some(fips), Some(dual_stack), endpoint), "{variables:?}");
    }
}

#[tokio::test]
async fn a_service_can_have_an_endpoint_of_its_own() {
    let config = config(&[("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:2")]);
    let endpoint = |service| {
        let key =
            ServiceConfigKey::builder().service_id(service).profile("endpoint_url").env("AWS_ENDPOINT_URL").build();
        config.service_config().and_then(|services| services.load_config(key.expect("a key")))
    };
    assert_eq!([endpoint("EC2"), endpoint("SNS")], [Some("http://127.0.0.1:2".to_owned()), None]);
}
