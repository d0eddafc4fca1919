//! `GET /v1/spaces/{space}/members?after&limit`: 200 with who is in it.
//!
//! `PUT /v1/spaces/{space}/members/{user}`: body `{role}`. 204; owners alone. `DELETE /v1/spaces/{space}/members/{user}`:
//! 204; owners, and everyone for themselves. 409 `last_owner` when nobody would own the space; what was taken away is gone
//! when the answer arrives.
//!
//! `GET /v1/spaces/{space}/invites`, `POST /v1/spaces/{space}/invites`: body `{role, address?}`. 201 with a token to hand
//! over, or with a letter on its way. `DELETE /v1/spaces/{space}/invites/{id}`: 204.
//!
//! `POST /v1/invites/accept`: body `{token}`. 200 with the space and the role; 400 `invite_invalid`.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sync_core::{ActorId, CredentialId, Role};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of, no_content};
use super::resource::{Answer, Methods, get, post, resource};
use crate::app::App;
use crate::auth::address::MailAddress;
use crate::identity::NewInvite;
use crate::limit::Rule;
use crate::pages::invite_link;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Members listed at once.
const LISTED_MAX: u32 = 1000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let all = warp::path!("spaces" / String / "members").map(|space| vec![space]);
    let one = warp::path!("spaces" / String / "members" / String).map(|space, user| vec![space, user]);
    let invites = warp::path!("spaces" / String / "invites").map(|space| vec![space]);
    let invite = warp::path!("spaces" / String / "invites" / String).map(|space, id| vec![space, id]);
    first_of([
        resource(all, app, get(list)),
        resource(one, app, Methods::default().on(Method::PUT, put).on(Method::DELETE, remove)),
        resource(invites, app, get(list_invites).on(Method::POST, create_invite)),
        resource(invite, app, Methods::default().on(Method::DELETE, revoke_invite)),
        resource(warp::path!("invites" / "accept").map(Vec::new), app, post(accept)),
    ])
}

async fn list(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    let query = request.query(&["after", "limit"])?;
    let after = query.string("after").map(ActorId::new).transpose();
    let after = after.map_err(|error| Problem::new(Code::InvalidQuery).detail(error.to_string()))?;
    let limit = query.u32_in("limit", 1..=LISTED_MAX)?.unwrap_or(LISTED_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let members = app.identity.members(&who, &space, after.as_ref(), limit).await?;
    let next = members.last().filter(|_| members.len() == limit).map(|member| member.user.clone());
    let members: Vec<_> = members
        .iter()
        .map(|member| json!({"user": member.user, "username": member.name, "role": member.role}))
        .collect();
    Ok(json_of(&json!({"members": members, "next": next})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    role: Role,
}

async fn put(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let (space, user) = (request.space()?, request.name(1, ActorId::new)?);
    request.query(&[])?;
    app.identity.owner(&who, &space).await?;
    let given: Setting = request.decode()?;
    app.identity.set_role(&who, &space, &user, given.role).await?;
    Ok(no_content())
}

async fn remove(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let (space, user) = (request.space()?, request.name(1, ActorId::new)?);
    request.query(&[])?;
    app.identity.remove_member(&who, &space, &user).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inviting {
    role: Role,
    address: Option<String>,
}

async fn create_invite(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    request.query(&[])?;
    app.identity.owner(&who, &space).await?;
    let given: Inviting = request.decode()?;
    let address = given.address.as_deref().map(MailAddress::new).transpose()?;
    if let Some(address) = &address {
        // Nobody's mailbox is filled by someone else.
        let to = app.limiter.bucket(Rule::InviteMail, address.limit_key());
        app.limiter.attempt(&[app.limiter.bucket(Rule::Inviter, &who.user), to])?;
    }
    let mailed = address.is_some();
    let invited = app.identity.invite(&who, &space, &NewInvite { role: given.role, address }).await?;
    let mut body = json!({"invite": invited.id, "role": given.role, "expires_at": invited.expires_at});
    if !mailed {
        // Who reads the letter has it; whoever asked for the letter does not.
        body["url"] = invite_link(app.base_url.as_str(), &invited.token).into();
        body["token"] = invited.token.into();
    }
    Ok(json(StatusCode::CREATED, body.to_string()))
}

async fn list_invites(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    request.query(&[])?;
    let invites = app.identity.invites(&who, &space).await?;
    let shown = invites.iter().map(|(id, invite, expires_at)| {
        json!({"invite": id, "role": invite.role, "address": invite.address, "by": invite.by,
               "expires_at": expires_at})
    });
    Ok(json_of(&json!({"invites": shown.collect::<Vec<_>>()})))
}

async fn revoke_invite(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let (space, id) = (request.space()?, request.name(1, CredentialId::new)?);
    request.query(&[])?;
    app.identity.revoke_invite(&who, &space, &id).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepting {
    token: String,
}

async fn accept(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Accepting = request.decode()?;
    let bucket = app.limiter.client(Rule::Invite, request.client);
    let work = app.identity.accept_invite(&who, &given.token);
    let (space, role) = app.guarded(&[bucket], &[Code::InviteInvalid], work).await?;
    Ok(json_of(&json!({"space": space, "role": role})))
}
