//! Translates the SDK's answers and errors: sorts errors by code, and reads all pages of an answer.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use token_failover::model::error::{CallError, Meaning};

/// Sorts an SDK error. `meaning_of` gives the meaning of the service's error codes.
pub(crate) fn call_error<E>(action: &str, error: SdkError<E>, meaning_of: impl Fn(&str) -> Meaning) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let request_id = error.request_id().map(str::to_owned);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let meaning = match (&code, status) {
        (Some(code), Some(status)) => match meaning_of(code) {
            // An unknown code, with a status that means a fault of the service.
            Meaning::Rejected if status >= 500 => Meaning::Unreachable,
            meaning => meaning,
        },
        (None, Some(403)) => Meaning::Denied,
        // No code: there was no answer, or an unreadable one.
        _ => Meaning::Unreachable,
    };
    let message = match error.message() {
        Some(message) => message.to_owned(),
        None => chain(&error),
    };
    CallError { action: action.to_owned(), meaning, code, message: shortened(&message), request_id }
}

/// Reads all pages of an answer. More than `max` pages are an error, so that a part is never taken for the whole.
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

/// Checks that an answer of one page has no next page.
pub(crate) fn ends(next_token: Option<&str>) -> Result<(), String> {
    match next_token {
        Some(token) if !token.is_empty() => Err("the answer has more pages than one".to_owned()),
        _ => Ok(()),
    }
}

/// The error and its causes in words. The SDK's own display adds Rust structures, which do not help a reader of a mail.
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

/// Shortens a message: an encoded authorization failure is longer than a mail should be.
fn shortened(message: &str) -> String {
    const MAX: usize = 300;
    match message.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
