//! What the SDK's answers and errors come to: errors sorted by code, and pages read to their end.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use token_failover::model::error::{CallError, Meaning};

/// Sorts an SDK error. `meaning_of` says what the service's error codes mean.
pub(crate) fn call_error<E>(action: &str, error: SdkError<E>, meaning_of: impl Fn(&str) -> Meaning) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let meaning = match (&code, status) {
        (Some(code), Some(status)) => match meaning_of(code) {
            // A code that is not known, with a status that says that the fault is the service's.
            Meaning::Rejected if status >= 500 => Meaning::Unreachable,
            meaning => meaning,
        },
        (None, Some(403)) => Meaning::Denied,
        // No code: nothing was answered, or nothing that could be read.
        _ => Meaning::Unreachable,
    };
    let message = match error.message() {
        Some(message) => message.to_owned(),
        None => chain(&error),
    };
    CallError { action: action.to_owned(), meaning, code, message: shortened(&message), request_id }
}

/// Reads an answer page by page to its end. More than `max` pages are an error: a part is never taken for the whole.
pub(crate) async fn each_page<P, E>(
    action: &str,
    max: usize,
    mut pages: PaginationStream<Result<P, SdkError<E>>>,
    meaning_of: impl Fn(&str) -> Meaning,
    mut take: impl FnMut(&P) -> Result<(), CallError>,
) -> Result<(), CallError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut read = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call_error(action, error, &meaning_of))?;
        if read == max {
            return Err(contradiction(action, format!("the answer has more than {max} pages"), None));
        }
        take(&page)?;
        read += 1;
    }
    Ok(())
}

/// That an answer which is due at once does not go on.
pub(crate) fn ends(next_token: Option<&str>) -> Result<(), String> {
    match next_token {
        Some(token) if !token.is_empty() => Err("the answer goes on although so little was asked for".to_owned()),
        _ => Ok(()),
    }
}

/// The error and what caused it, in words. The SDK's own display adds the structure in Rust's notation, which helps nobody
/// who reads a mail.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer that contradicts the question.
pub(crate) fn contradiction(action: &str, message: String, request_id: Option<&str>) -> CallError {
    CallError {
        action: action.to_owned(),
        meaning: Meaning::Contradiction,
        code: None,
        message: shortened(&message),
        request_id: request_id.map(str::to_owned),
    }
}

/// An encoded authorization failure alone is longer than a mail should be.
fn shortened(message: &str) -> String {
    const MAX: usize = 300;
    match message.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
