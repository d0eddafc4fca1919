//! Turns warp's rejections into problems, so that no filter answers in plain text.

use std::convert::Infallible;

use warp::reject::{
    InvalidHeader, InvalidQuery, LengthRequired, MethodNotAllowed, MissingHeader, PayloadTooLarge, Rejection,
};

use crate::problem::{Code, Problem};
use crate::reply::Response;

/// The last filter of every route tree: `routes.recover(recover)`.
///
/// A [`Problem`] given with `warp::reject::custom` is answered as it is. What the filters refuse by
/// themselves gets the nearest code; what nobody foresaw is `internal`, with nothing about the inside.
///
/// # Errors
///
/// Never; the signature is the one warp asks for.
pub async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(problem_of(&rejection).into_response())
}

fn problem_of(rejection: &Rejection) -> Problem {
    if let Some(problem) = rejection.find::<Problem>() {
        return problem.clone();
    }
    if rejection.find::<MethodNotAllowed>().is_some() {
        return Code::MethodNotAllowed.into();
    }
    if rejection.is_not_found() {
        return Code::NotFound.into();
    }
    if rejection.find::<PayloadTooLarge>().is_some() || rejection.find::<LengthRequired>().is_some() {
        return Code::BodyTooLarge.into();
    }
    if rejection.find::<InvalidQuery>().is_some() {
        return Code::InvalidQuery.into();
    }
    if rejection.find::<MissingHeader>().is_some() || rejection.find::<InvalidHeader>().is_some() {
        return Code::InvalidEncoding.into();
    }
    tracing::error!(?rejection, "a filter refused in a way no one foresaw");
    Code::Internal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_answered_as_it_is() {
        let rejection = warp::reject::custom(Problem::new(Code::SpaceNotFound));
        assert_eq!(recover(rejection).await.unwrap().status(), 404);
    }

    #[tokio::test]
    async fn an_unknown_route_is_not_found() {
        let answer = recover(warp::reject::not_found()).await.unwrap();
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}
