//! The error of a request that cannot be granted: it asked for something wrong, and nothing was written.

/// What was wrong with the request, in one or two lines that end the program with exit status 2.
///
/// Any code may return one inside an `anyhow::Error`, with or without context: `main` looks for it in the whole chain.
/// Every other error is a failed run, exit status 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RequestError {
    message: String,
}

impl RequestError {
    /// A refusal with its reason: what was asked, what is possible, and what to do.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// Whether an error, or one of its causes, is a refused request.
    pub(crate) fn is_in(error: &anyhow::Error) -> bool {
        error.chain().any(<dyn std::error::Error>::is::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_refusal_is_found_under_context_and_other_errors_are_not() {
        let refused: Result<(), _> = Err(RequestError::new("no such game"));
        let error = refused.context("while planning").unwrap_err();
        assert!(RequestError::is_in(&error));
        assert_eq!(format!("{error:#}"), "while planning: no such game");
        assert!(!RequestError::is_in(&anyhow::anyhow!("the disk is full")));
    }
}
